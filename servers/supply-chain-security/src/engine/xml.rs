//! XML as a small tree, within bounds and without entities of its own.

use quick_xml::{Reader, XmlVersion, events::Event};

/// Levels of nesting.
const DEPTH_MAX: usize = 64;
/// Elements in one document.
const ELEMENTS_MAX: usize = 500_000;

/// One element.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Element {
    /// Without its namespace.
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Self>,
    /// Text directly inside, trimmed.
    pub(crate) text: String,
}

impl Element {
    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|it| it.name == name)
    }

    /// Every child of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |it| it.name == name)
    }

    /// The text of the first child of that name, empty when there is none.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |it| it.text.as_str())
    }

    /// An attribute, whatever its case.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.as_str())
    }

    /// Every element below with that name, in document order.
    pub(crate) fn below<'a>(&'a self, name: &str, found: &mut Vec<&'a Self>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            child.below(name, found);
        }
    }
}

/// Reads a document; its root element.
pub(crate) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut stack: Vec<Element> = vec![Element::default()];
    let mut count = 0_usize;
    loop {
        let event = reader.read_event();
        let position = reader.buffer_position();
        let broken = |rule: &str| format!("it is no XML: {rule} (byte {position})");
        match event.map_err(|error| broken(&error.to_string()))? {
            Event::Start(tag) => {
                count += 1;
                if count > ELEMENTS_MAX || stack.len() > DEPTH_MAX {
                    return Err(broken("too many or too deep elements"));
                }
                stack.push(element(&tag).map_err(|rule| broken(&rule))?);
            }
            Event::Empty(tag) => {
                count += 1;
                if count > ELEMENTS_MAX {
                    return Err(broken("too many elements"));
                }
                let element = element(&tag).map_err(|rule| broken(&rule))?;
                top(&mut stack).children.push(element);
            }
            Event::End(_) => {
                let mut done = stack.pop().unwrap_or_default();
                done.text = done.text.trim().to_owned();
                let Some(outer) = stack.last_mut() else { return Err(broken("an end without a start")) };
                outer.children.push(done);
            }
            Event::Text(text) => top(&mut stack).text.push_str(&text.xml_content(XmlVersion::Implicit1_0)),
            Event::CData(text) => top(&mut stack).text.push_str(&text.into_inner()),
            Event::GeneralRef(name) => match entity(&name) {
                Some(it) => top(&mut stack).text.push(it),
                None => return Err(broken("an entity that XML does not know")),
            },
            Event::DocType(text) if text.contains('[') => {
                return Err(broken("a document type with declarations of its own is not read"));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if stack.len() != 1 {
        return Err("it is no XML: an element is not closed".into());
    }
    stack.pop().and_then(|mut it| it.children.pop()).ok_or_else(|| "it is no XML: it has no element".into())
}

/// The stack holds the document itself until the end.
fn top(stack: &mut [Element]) -> &mut Element {
    stack.last_mut().expect("the document is never closed")
}

fn element(tag: &quick_xml::events::BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes().take(256) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let key = attribute.key.local_name().into_inner().to_owned();
        let value = quick_xml::escape::unescape(&attribute.value).map_err(|error| error.to_string())?;
        attributes.push((key, value.into_owned()));
    }
    let name = tag.local_name().into_inner().to_owned();
    Ok(Element { name, attributes, ..Element::default() })
}

fn entity(name: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(it)) = name.resolve_char_ref() {
        return Some(it);
    }
    match &**name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree() {
        let root = parse(
            "<?xml version='1.0'?><!-- c --><p:a x:Y='1 &amp; 2'><b> t&lt;<![CDATA[<u>]]> </b><c/></p:a>",
        )
        .unwrap();
        assert_eq!((root.name.as_str(), root.attribute("y")), ("a", Some("1 & 2")));
        assert_eq!((root.text_of("b"), root.children.len()), ("t<<u>", 2));
    }

    #[test]
    fn laughs_depth_and_breakage_are_refused() {
        for bad in [
            "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><l>&b;</l>".to_owned(),
            "<!DOCTYPE l [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><l>&x;</l>".to_owned(),
            "<l>&lol;</l>".to_owned(),
            "<a>".repeat(100_000),
            "<a></b>".to_owned(),
            "</a>".to_owned(),
            "plain".to_owned(),
            String::new(),
            "<a".to_owned(),
        ] {
            assert!(parse(&bad).is_err(), "{}", &bad[..bad.len().min(60)]);
        }
    }
}
