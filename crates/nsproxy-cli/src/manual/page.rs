//! A manual page in the making: sections, paragraphs, items and examples, in the macros of man(7).
//!
//! Text is that of the help and of the reference: `code` is printed in bold, a `[link](target)` as its text, and lines that
//! are indented are an example.

use clap_mangen::roff::{Inline, Roff, bold, roman};

/// When the pages last changed in more than what is made from the program.
const DATE: &str = "2026-11-30";

#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    /// Nothing stands below the last title yet.
    is_new: bool,
}

impl Page {
    /// A page with its title, its name and, in a few words, what it is about.
    pub(crate) fn new(name: &str, section: &str, about: &str) -> Self {
        let mut page = Self {
            text: Roff::new().render(),
            is_new: true,
        };
        let source = concat!("nsproxy ", env!("CARGO_PKG_VERSION"));
        page.write(|roff| {
            let title = name.to_uppercase();
            roff.control("TH", [title.as_str(), section, DATE, source, "nsproxy"]);
            roff.control("SH", ["NAME"]);
            roff.text([roman(format!("{name} - {about}"))]);
        });
        page
    }

    pub(crate) fn section(&mut self, title: &str) {
        self.title("SH", title);
    }

    pub(crate) fn subsection(&mut self, title: &str) {
        self.title("SS", title);
    }

    /// Paragraphs, which are divided by empty lines.
    pub(crate) fn text(&mut self, text: &str) {
        for part in parts(text) {
            match part {
                Part::Example(lines) => self.example(&lines),
                Part::Paragraph(text) => {
                    let is_new = self.is_new;
                    self.write(|roff| {
                        if !is_new {
                            roff.control("PP", []);
                        }
                        roff.text(inlines(&text));
                    });
                }
            }
        }
    }

    /// A word, and what it means.
    pub(crate) fn item(&mut self, word: &str, text: &str) {
        self.write(|roff| {
            roff.control("TP", []);
            roff.text([bold(word)]);
            roff.text(inlines(text));
        });
    }

    /// Several of them.
    pub(crate) fn items(&mut self, items: &[(&str, &str)]) {
        for (word, text) in items {
            self.item(word, text);
        }
    }

    /// Lines as they are.
    pub(crate) fn example(&mut self, lines: &[&str]) {
        self.write(|roff| {
            roff.control("IP", []);
            roff.control("nf", []);
            for line in lines {
                roff.text([roman(*line)]);
            }
            roff.control("fi", []);
        });
    }

    /// What another has made, without its first line if that is a section's title.
    pub(crate) fn made(&mut self, made: &str) {
        let body = made.strip_prefix(&Roff::new().render()).unwrap_or(made);
        let body = match body.split_once('\n') {
            Some((first, rest)) if first.starts_with(".SH ") => rest,
            _ => body,
        };
        let lines: Vec<_> = body.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            // A line break beside an empty line is one too many, and mandoc says so.
            let beside = [at.checked_sub(1), Some(at + 1)];
            let has_space = |at: Option<usize>| at.and_then(|at| lines.get(at)) == Some(&"");
            if *line != ".br" || !beside.into_iter().any(has_space) {
                self.text.push_str(&with_bold_code(line));
                self.text.push('\n');
            }
        }
        self.is_new = false;
    }

    /// What follows begins on a new line.
    pub(crate) fn line_break(&mut self) {
        self.write(|roff| {
            roff.control("br", []);
        });
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn title(&mut self, request: &str, title: &str) {
        self.write(|roff| {
            roff.control(request, [title]);
        });
        self.is_new = true;
    }

    fn write(&mut self, write: impl FnOnce(&mut Roff)) {
        let mut roff = Roff::new();
        write(&mut roff);
        // Each piece begins with the same definition, which a page has once.
        let (made, start) = (roff.render(), Roff::new().render());
        self.text.push_str(made.strip_prefix(&start).unwrap_or(&made));
        self.is_new = false;
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Paragraph(String),
    Example(Vec<&'a str>),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut is_new = true;
    for line in text.lines() {
        let plain = line.trim();
        let indent = line.len() - line.trim_start().len();
        match parts.last_mut() {
            _ if plain.is_empty() => {
                is_new = true;
                continue;
            }
            Some(Part::Example(lines)) if indent >= 2 => lines.push(plain),
            Some(Part::Paragraph(text)) if indent < 2 && !is_new => {
                text.push(' ');
                text.push_str(plain);
            }
            _ if indent >= 2 => parts.push(Part::Example(vec![plain])),
            _ => parts.push(Part::Paragraph(plain.to_owned())),
        }
        is_new = false;
    }
    parts
}

fn inlines(text: &str) -> Vec<Inline> {
    text.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(at, part)| {
            if at % 2 == 1 {
                bold(part)
            } else {
                roman(without_links(part))
            }
        })
        .collect()
}

/// Code in a line that is made already. Backticks are pairs.
fn with_bold_code(line: &str) -> String {
    let mut marks = ["\\fB", "\\fR"].into_iter().cycle();
    let pairs = line.matches('`').count() / 2;
    let mut parts = line.splitn(2 * pairs + 1, '`');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.extend(marks.next());
        text.push_str(part);
    }
    text
}

/// `[text](target)` is its text.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('[') {
        let link = behind.split_once("](").and_then(|(name, behind)| {
            let (_, behind) = behind.split_once(')')?;
            (!name.contains(['[', ']'])).then_some((name, behind))
        });
        plain.push_str(before);
        if let Some((name, behind)) = link {
            plain.push_str(name);
            rest = behind;
        } else {
            plain.push('[');
            rest = behind;
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join_to_paragraphs_and_indented_ones_stay() {
        let text = "One,\ntwo.\n\nThree:\n  a b\n    c\nFour.\n";
        assert_eq!(
            parts(text),
            [
                Part::Paragraph("One, two.".to_owned()),
                Part::Paragraph("Three:".to_owned()),
                Part::Example(vec!["a b", "c"]),
                Part::Paragraph("Four.".to_owned()),
            ]
        );
    }

    #[test]
    fn a_link_is_its_text_and_brackets_stay() {
        assert_eq!(
            without_links("See [Rules](#rules), [more](x.md)."),
            "See Rules, more."
        );
        assert_eq!(
            without_links("bind [ADDRESS] (or [none)"),
            "bind [ADDRESS] (or [none)"
        );
    }

    #[test]
    fn code_in_what_others_made_is_bold() {
        assert_eq!(with_bold_code("a `b` c `d`"), "a \\fBb\\fR c \\fBd\\fR");
        assert_eq!(
            with_bold_code("`b` and a ` left over"),
            "\\fBb\\fR and a ` left over"
        );
        assert_eq!(with_bold_code("none"), "none");
    }

    #[test]
    fn what_would_be_a_request_is_text() {
        let mut page = Page::new("x", "1", "about");
        page.text(".if is a word, 'so is this', and so is \\fB");
        let page = page.finish();
        let line = page.lines().last().unwrap();
        assert!(!line.starts_with('.') && line.contains("\\\\fB"), "{line}");
    }
}
