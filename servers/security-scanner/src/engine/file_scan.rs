//! Finds the hits in one text.

use std::ops::Range;

use aho_corasick::automaton::OverlappingState;
use regex_automata::{Anchored, Input, meta::Cache, util::captures::Captures};

use super::{
    assign::{self, Assignment, Link},
    clues::Clues,
    decode, detect,
    judge::{Setting, guess, is_out_of_question},
    language::{Style, file_name, kind_of, line_comment},
    model::likelihood,
    names::{Naming, classify},
    placeholder::is_made_up,
    rarity::entropy,
    rule::{Class, Detector, LazyRegex, Matcher, Rule},
    ruleset::{Prefilter, RuleSet, Wanted},
};

/// Hits kept for one file; more make the file's entry `truncated`.
const HITS_MAX: usize = 1_000;
/// Hits looked at before those that overlap are joined.
const RAW_MAX: usize = HITS_MAX * 4;
/// A line rule looks at no more of a line than this around its keyword.
const LINE_MAX: usize = 1_024;
/// What the model finds less likely is no hit, whatever the caller's threshold.
const LIKELIHOOD_MIN: f32 = 0.1;

/// One place where a rule matched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    pub(crate) rule: u16,
    pub(crate) span: Range<usize>,
    pub(crate) confidence: f32,
}

/// One worker's tools: the automaton, and a cache per expression so that workers never share one.
pub(crate) struct FileScan<'r> {
    set: &'r RuleSet,
    filter: &'r Prefilter,
    caches: Vec<Option<(Cache, Captures)>>,
    generic: [Option<u16>; 5],
    /// Whether base64 is looked into.
    decodes: bool,
    /// When set, collects where the model was asked and what it was shown.
    pub(crate) candidates: Option<Vec<(usize, Clues)>>,
    /// The last text held more hits than are looked at or kept.
    pub(crate) was_cut: bool,
}

/// What one text's scan carries along.
struct Pass<'t> {
    text: &'t [u8],
    path: &'t str,
    kind: &'t str,
    style: Style,
    hits: Vec<Hit>,
    /// The last name that was read, and what it is given.
    name: Option<(Range<usize>, Option<Assignment>)>,
    /// The last name that the generic rules judged.
    judged: usize,
}

impl<'r> FileScan<'r> {
    pub(crate) fn new(set: &'r RuleSet, wanted: Wanted) -> Self {
        let mut generic = [None; 5];
        for (index, rule) in set.rules.iter().enumerate() {
            if let Matcher::Generic(class) = &rule.matcher {
                generic[*class as usize] = u16::try_from(index).ok();
            }
        }
        let caches = set.rules.iter().map(|_| None).collect();
        Self {
            set,
            filter: set.prefilter(wanted),
            caches,
            generic,
            decodes: wanted != Wanted::Patterns,
            candidates: None,
            was_cut: false,
        }
    }

    /// Every hit in `text`, by position; where two overlap, the more specific one stays.
    pub(crate) fn scan(&mut self, path: &str, text: &[u8]) -> Vec<Hit> {
        let mut hits = self.scan_with(self.filter, path, text);
        if self.decodes && Style::of(path) != Style::Lock {
            let was_cut = self.was_cut;
            hits.extend(self.encoded(path, text, decode::NESTING_MAX));
            hits = self.settle(hits);
            self.was_cut |= was_cut || hits.len() == HITS_MAX;
        }
        hits
    }

    /// Tokens in base64: each hit spans the run that hides it.
    fn encoded(&mut self, path: &str, text: &[u8], nesting: usize) -> Vec<Hit> {
        let mut hits = Vec::new();
        for run in decode::runs(text) {
            let Some(plain) = decode::decoded(&text[run.clone()]) else { continue };
            let mut inside = self.scan_binary(path, &plain);
            if nesting > 1 {
                inside.extend(self.encoded(path, &plain, nesting - 1));
            }
            // One finding per rule and run: where in the run it stands cannot be pointed at.
            inside.sort_by_key(|it| it.rule);
            inside.dedup_by_key(|it| it.rule);
            hits.extend(inside.into_iter().map(|it| Hit { span: run.clone(), ..it }));
            if hits.len() >= HITS_MAX {
                break;
            }
        }
        hits
    }

    /// The tokens in `bytes` that their form gives away: names and words mean nothing in a file that is no text.
    pub(crate) fn scan_binary(&mut self, path: &str, bytes: &[u8]) -> Vec<Hit> {
        self.scan_with(self.set.prefilter(Wanted::Tokens), path, bytes)
    }

    fn scan_with(&mut self, filter: &Prefilter, path: &str, text: &[u8]) -> Vec<Hit> {
        let name = file_name(path);
        let style = Style::of(path);
        let mut pass = Pass {
            text,
            path,
            kind: kind_of(&name),
            style,
            hits: Vec::new(),
            name: None,
            judged: usize::MAX,
        };
        let mut state = OverlappingState::start();
        let input = aho_corasick::Input::new(text);
        loop {
            filter.automaton.find_overlapping(input.clone(), &mut state);
            let Some(found) = state.get_match() else { break };
            for rule in &filter.rules[found.pattern().as_usize()] {
                self.at_keyword(&mut pass, *rule, found.span().range());
            }
            if pass.hits.len() >= RAW_MAX {
                break;
            }
        }
        for rule in &filter.whole {
            self.whole_file(&mut pass, *rule);
        }
        let was_full = pass.hits.len() >= RAW_MAX;
        let kept = self.settle(pass.hits);
        self.was_cut = was_full || kept.len() == HITS_MAX;
        kept
    }

    fn at_keyword(&mut self, pass: &mut Pass<'_>, index: u16, hit: Range<usize>) {
        let rule = &self.set.rules[usize::from(index)];
        match &rule.matcher {
            Matcher::Token { regex, before, after } => {
                if *before == 0
                    && hit.start > 0
                    && is_word(pass.text[hit.start - 1])
                    && is_word(pass.text[hit.start])
                {
                    return;
                }
                if applies(rule, pass) {
                    self.token(pass, index, regex, (*before, *after), hit);
                }
            }
            Matcher::Assigned { value, qualifiers } => {
                if pass.style != Style::Lock && applies(rule, pass) {
                    self.assigned(pass, index, value, qualifiers, hit);
                }
            }
            Matcher::Line { regex, in_code, in_comments } => {
                if applies(rule, pass) {
                    self.line(pass, index, regex, (*in_code, *in_comments), hit);
                }
            }
            Matcher::Generic(_) => self.generic(pass, hit),
            Matcher::Built(Detector::UrlCredentials) => self.url(pass, index, hit),
            Matcher::Built(detector) => {
                if let Some((span, confidence)) = detect::detect(*detector, pass.text, hit, pass.style) {
                    pass.hits.push(Hit { rule: index, span, confidence: confidence * rule.confidence });
                }
            }
            Matcher::File { .. } => {}
        }
    }

    fn token(
        &mut self,
        pass: &mut Pass<'_>,
        index: u16,
        regex: &LazyRegex,
        (before, after): (usize, usize),
        hit: Range<usize>,
    ) {
        let from = hit.start - before.min(hit.start);
        let to = (hit.end + after).min(pass.text.len());
        let anchored = if before == 0 { Anchored::Yes } else { Anchored::No };
        let input = Input::new(pass.text).span(from..to).anchored(anchored);
        let Some((whole, secret)) = self.captures(index, regex, input) else { return };
        // A longer run of word characters is something else.
        if pass.text.get(whole.end).is_some_and(|it| is_word(*it)) && is_word(pass.text[whole.end - 1])
            || before > 0
                && whole.start > 0
                && is_word(pass.text[whole.start - 1])
                && is_word(pass.text[whole.start])
        {
            return;
        }
        self.keep(pass, index, secret);
    }

    fn assigned(
        &mut self,
        pass: &mut Pass<'_>,
        index: u16,
        value: &LazyRegex,
        qualifiers: &[String],
        hit: Range<usize>,
    ) {
        let Some(found) = name_at(pass, &hit) else { return };
        let name = pass.text[found.name.clone()].to_ascii_lowercase();
        let rest = [&name[..hit.start - found.name.start], &name[hit.end - found.name.start..]];
        let has = |word: &String| rest.iter().any(|it| memchr::memmem::find(it, word.as_bytes()).is_some());
        if !qualifiers.is_empty() && !qualifiers.iter().any(has) {
            return;
        }
        let span = found.value.clone();
        let input = Input::new(&pass.text[span.clone()]).anchored(Anchored::Yes);
        if self.captures(index, value, input).is_some()
            && !super::placeholder::is_placeholder(&pass.text[span.clone()])
        {
            self.keep(pass, index, span);
        }
    }

    fn line(
        &mut self,
        pass: &mut Pass<'_>,
        index: u16,
        regex: &LazyRegex,
        (in_code, in_comments): (bool, bool),
        hit: Range<usize>,
    ) {
        // Never further than the bound: a keyword a million times on one line must not cost its square.
        let floor = hit.start.saturating_sub(LINE_MAX);
        let from = memchr::memrchr(b'\n', &pass.text[floor..hit.start]).map_or(floor, |at| floor + at + 1);
        let roof = (hit.end + LINE_MAX).min(pass.text.len());
        let to = memchr::memchr(b'\n', &pass.text[hit.end..roof]).map_or(roof, |at| hit.end + at);
        let input = Input::new(pass.text).span(from..to);
        let Some((whole, shown)) = self.captures(index, regex, input) else { return };
        let before = &pass.text[from..whole.start];
        if !in_comments && in_comment(before, line_comment(pass.kind)) || in_code && in_string(before) {
            return;
        }
        let rule = &self.set.rules[usize::from(index)];
        if rule.allow.iter().any(|it| it.get().is_match(Input::new(pass.text).span(from..to))) {
            return;
        }
        pass.hits.push(Hit { rule: index, span: shown, confidence: rule.confidence });
    }

    fn generic(&mut self, pass: &mut Pass<'_>, hit: Range<usize>) {
        if pass.style == Style::Lock {
            return;
        }
        let Some(found) = name_at(pass, &hit) else { return };
        if pass.judged == found.name.start {
            return;
        }
        pass.judged = found.name.start;
        let how = if found.link == Link::Passed && pass.style != Style::Spaced {
            Naming::Exactly
        } else {
            Naming::Loosely
        };
        let Some(class) = classify(&pass.text[found.name.clone()], how) else { return };
        let Some(index) = self.rule_of(class) else { return };
        let setting = Setting { text: pass.text, style: pass.style, found: &found };
        if is_out_of_question(&setting) {
            return;
        }
        let confidence = self.ask(pass, class.word(), &setting, guess(class, &setting));
        let rule = &self.set.rules[usize::from(index)];
        let value = &pass.text[found.value.clone()];
        if confidence >= LIKELIHOOD_MIN
            && applies(rule, pass)
            && !rule.allow.iter().any(|it| it.get().is_match(value))
        {
            pass.hits.push(Hit { rule: index, span: found.value, confidence });
        }
    }

    fn url(&mut self, pass: &mut Pass<'_>, index: u16, hit: Range<usize>) {
        let Some(login) = detect::url_login(pass.text, hit, pass.style) else { return };
        let found =
            Assignment { name: login.user, value: login.password, quoted: false, link: Link::Assigned };
        let setting = Setting { text: pass.text, style: pass.style, found: &found };
        let confidence = self.ask(pass, "url", &setting, Some(login.certainty));
        if confidence >= LIKELIHOOD_MIN {
            pass.hits.push(Hit { rule: index, span: found.value, confidence });
        }
    }

    /// The model's opinion of one candidate.
    fn ask(&mut self, pass: &Pass<'_>, kind: &str, setting: &Setting<'_>, prior: Option<f32>) -> f32 {
        let clues = Clues::of(kind, setting, pass.path, prior);
        let confidence = likelihood(&clues);
        if let Some(candidates) = &mut self.candidates {
            candidates.push((setting.found.value.start, clues));
        }
        confidence
    }

    fn rule_of(&self, class: Class) -> Option<u16> {
        self.generic[class as usize]
    }

    fn whole_file(&mut self, pass: &mut Pass<'_>, index: u16) {
        let set = self.set;
        let rule = &set.rules[usize::from(index)];
        let Matcher::File { regex } = &rule.matcher else { return };
        if !applies(rule, pass) {
            return;
        }
        let mut from = 0;
        while from < pass.text.len() && pass.hits.len() < RAW_MAX {
            let input = Input::new(pass.text).span(from..pass.text.len());
            let Some((whole, secret)) = self.captures(index, regex, input) else { break };
            from = whole.end.max(from + 1);
            self.keep(pass, index, secret);
        }
    }

    /// Checks what every secret of a rule must pass, and keeps it.
    fn keep(&self, pass: &mut Pass<'_>, index: u16, span: Range<usize>) {
        let rule = &self.set.rules[usize::from(index)];
        let secret = &pass.text[span.clone()];
        if rule.entropy > 0.0 && entropy(secret) < rule.entropy
            || is_made_up(secret)
            || rule.allow.iter().any(|it| it.get().is_match(secret))
        {
            return;
        }
        let confidence = match rule.checksum {
            None => rule.confidence,
            Some(sum) if sum.holds(secret) => rule.confidence.max(0.99),
            // Formats change; a token that fails its checksum is reported as doubtful, not dropped.
            Some(_) => rule.confidence * 0.5,
        };
        pass.hits.push(Hit { rule: index, span, confidence });
    }

    /// The whole match and the group called `secret` (or the whole again).
    fn captures(
        &mut self,
        index: u16,
        regex: &LazyRegex,
        input: Input<'_>,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let regex = regex.get();
        let (cache, captures) = self.caches[usize::from(index)]
            .get_or_insert_with(|| (regex.create_cache(), regex.create_captures()));
        regex.search_captures_with(cache, &input, captures);
        let whole = captures.get_match()?.range();
        let secret = captures.get_group_by_name("secret").map_or_else(|| whole.clone(), |it| it.range());
        Some((whole, secret))
    }

    /// Sorts, and keeps the most specific of the hits that overlap.
    fn settle(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        let rank = |hit: &Hit| match &self.set.rules[usize::from(hit.rule)].matcher {
            Matcher::Generic(_) => 1,
            Matcher::Built(_) => 3,
            Matcher::File { .. } => 6,
            Matcher::Assigned { .. } => 4,
            Matcher::Token { .. } => 5,
            Matcher::Line { .. } => 0,
        };
        hits.sort_by(|left, right| {
            (left.span.start, std::cmp::Reverse(rank(left)), left.rule, left.span.end).cmp(&(
                right.span.start,
                std::cmp::Reverse(rank(right)),
                right.rule,
                right.span.end,
            ))
        });
        let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
        for hit in hits {
            let is_line = rank(&hit) == 0;
            let rival = kept.iter_mut().rev().take(8).find(|it| {
                it.span.start < hit.span.end
                    && hit.span.start < it.span.end
                    && (rank(it) == 0) == is_line
                    && (!is_line || it.rule == hit.rule)
            });
            match rival {
                None => kept.push(hit),
                Some(rival) if rank(rival) < rank(&hit) => *rival = hit,
                Some(_) => {}
            }
        }
        kept.sort_by_key(|hit| (hit.span.start, hit.rule));
        kept.truncate(HITS_MAX);
        kept
    }
}

/// What the name around `hit` is given; read once per name.
fn name_at(pass: &mut Pass<'_>, hit: &Range<usize>) -> Option<Assignment> {
    let known = pass.name.as_ref().is_some_and(|(name, _)| name.start <= hit.start && hit.end <= name.end);
    if !known {
        let name = assign::name_around(pass.text, hit);
        let found = assign::read(pass.text, name.clone(), pass.style);
        pass.name = Some((name, found));
    }
    pass.name.as_ref().and_then(|(_, found)| found.clone())
}

fn applies(rule: &Rule, pass: &Pass<'_>) -> bool {
    (rule.files.is_empty()
        || rule.files.iter().any(|it| it == pass.kind || pass.kind == "dockerfile" && it == "docker"))
        && rule.paths.as_ref().is_none_or(|it| it.is_match(pass.path))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Whether a comment sign stands before the match, outside quotes.
fn in_comment(before: &[u8], signs: &[&str]) -> bool {
    let head = before.trim_ascii_start();
    signs.iter().any(|sign| {
        let sign = sign.as_bytes();
        head.starts_with(sign) || sign != b"*" && find_outside_strings(before, sign)
    })
}

fn find_outside_strings(line: &[u8], sign: &[u8]) -> bool {
    memchr::memmem::find_iter(line, sign).any(|at| {
        // `http://` and `$#` are no comments.
        !in_string(&line[..at]) && at > 0 && line[at - 1].is_ascii_whitespace()
    })
}

/// Whether an odd number of one kind of quote is open at the end of `before`.
fn in_string(before: &[u8]) -> bool {
    let mut open = None;
    let mut skip = false;
    for byte in before {
        if std::mem::take(&mut skip) {
            continue;
        }
        match (*byte, open) {
            (b'\\', _) => skip = true,
            (quote @ (b'"' | b'\'' | b'`'), None) => open = Some(quote),
            (quote, Some(it)) if quote == it => open = None,
            _ => {}
        }
    }
    open.is_some()
}
