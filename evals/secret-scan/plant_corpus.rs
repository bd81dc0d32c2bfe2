//! Writes a labelled tree: never-issued secrets and things that only look like secrets, in 45 kinds of file.
//!
//! `plant_corpus DIR [--half dev|test] [--seed N]` writes `DIR/tree/…` and `DIR/labels.json`. The same seed
//! gives the same bytes. The two halves share no carrier, no secret form and no decoy, so that what is
//! learned from `dev` is not what is measured on `test`.

mod carriers;
mod decoys;
mod secrets;

use std::{env, fs, io, path::PathBuf, process::ExitCode};

use carriers::Carrier;
use serde_json::{Value, json};
use server_security_scanner::{Dice, fill};

/// Files written per carrier.
const FILES_PER_CARRIER: usize = 6;
/// Lines of each sort in one file.
const SECRETS_PER_FILE: usize = 3;
const DECOYS_PER_FILE: usize = 6;

struct Options {
    dir: PathBuf,
    half: usize,
    seed: u64,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("usage: plant_corpus DIR [--half dev|test] [--seed N]");
        return ExitCode::from(2);
    };
    match plant(&options) {
        Ok(facts) => {
            println!("{facts:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", options.dir.display());
            ExitCode::FAILURE
        }
    }
}

fn options() -> Option<Options> {
    let mut args = env::args().skip(1);
    let mut options = Options { dir: args.next()?.into(), half: 1, seed: 1 };
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()?) {
            ("--half", half) if half == "dev" => options.half = 0,
            ("--half", half) if half == "test" => options.half = 1,
            ("--seed", seed) => options.seed = seed.parse().ok()?,
            _ => return None,
        }
    }
    Some(options)
}

/// The entries of `all` that belong to one half.
fn half_of<T>(all: &[T], half: usize) -> Vec<&T> {
    all.iter().skip(half).step_by(2).collect()
}

fn plant(options: &Options) -> io::Result<Value> {
    let carriers = half_of(carriers::CARRIERS, options.half);
    let secrets = half_of(secrets::SECRETS, options.half);
    let decoys = half_of(decoys::DECOYS, options.half);
    let mut labels = Vec::new();
    let (mut next_secret, mut next_decoy) = (0, 0);
    let mut files = 0;
    for (at, carrier) in carriers.iter().enumerate() {
        for copy in 0..FILES_PER_CARRIER {
            let mut dice = Dice::new(options.seed ^ ((at * 131 + copy) as u64) << 8 ^ options.half as u64);
            let mut page = Page::new(carrier);
            let mut lines: Vec<(bool, &secrets::Planted)> = Vec::new();
            for _ in 0..SECRETS_PER_FILE {
                lines.push((true, secrets[next_secret % secrets.len()]));
                next_secret += 1;
            }
            for _ in 0..DECOYS_PER_FILE {
                lines.push((false, decoys[next_decoy % decoys.len()]));
                next_decoy += 1;
            }
            while !lines.is_empty() {
                let (is_secret, planted) = lines.swap_remove(dice.below(lines.len()));
                page.filler(&mut dice);
                page.plant(is_secret, planted, &mut dice);
            }
            let path = carrier.path.replace("{n}", &format!("{at:02}{copy}"));
            labels.extend(page.labels.iter().map(
                |(line, secret, kind)| json!({"path": path, "line": line, "secret": secret, "kind": kind}),
            ));
            let target = options.dir.join("tree").join(&path);
            fs::create_dir_all(target.parent().unwrap_or(&options.dir))?;
            fs::write(target, page.finish())?;
            files += 1;
        }
    }
    let count = |wanted: bool| labels.iter().filter(|it| it["secret"] == wanted).count();
    let facts = json!({"files": files, "carriers": carriers.len(), "forms": secrets.len(),
        "secrets": count(true), "decoys": count(false)});
    fs::write(options.dir.join("labels.json"), serde_json::to_vec_pretty(&labels)?)?;
    Ok(facts)
}

/// A file in the making.
struct Page<'c> {
    carrier: &'c Carrier,
    text: String,
    labels: Vec<(usize, bool, &'static str)>,
    count: usize,
}

impl<'c> Page<'c> {
    fn new(carrier: &'c Carrier) -> Self {
        Self { carrier, text: carrier.head.to_owned(), labels: Vec::new(), count: 0 }
    }

    fn filler(&mut self, dice: &mut Dice) {
        let fillers = self.carrier.fill;
        for _ in 0..=dice.below(3) {
            self.count += 1;
            let filler = fillers[dice.below(fillers.len())].replace("{n}", &self.count.to_string());
            self.text.push_str(&filler);
            self.text.push('\n');
        }
    }

    fn plant(&mut self, is_secret: bool, planted: &secrets::Planted, dice: &mut Dice) {
        self.count += 1;
        let name = self.carrier.case.apply(planted.name);
        let value = fill(planted.value, dice);
        let line = self.carrier.line.replace("{n}", &self.count.to_string());
        let line = line.replace("{name}", &name).replace("{value}", &value);
        // The label is the line that holds the value.
        let before = line.find(&value).map_or(0, |at| line[..at].matches('\n').count());
        let number = self.text.matches('\n').count() + 1 + before;
        self.labels.push((number, is_secret, planted.kind));
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn finish(mut self) -> String {
        self.text.push_str(self.carrier.tail);
        self.text
    }
}
