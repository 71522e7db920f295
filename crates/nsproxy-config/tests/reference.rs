//! Each keyword of the tables is documented, its example works, and a mistake in it is among the refused
//! configurations.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

use std::fs;
use std::path::{Path, PathBuf};

use nsproxy_config::reference::{Doc, Entry, Home, fetches, fetches_markdown, keywords, markdown};
use nsproxy_config::{Source, parse};

const BEGIN: &str =
    "<!-- The tables are made from the keyword tables; NSPROXY_UPDATE_EXPECTED=1 writes them. -->\n\n";
const END: &str = "<!-- end of the tables -->";
const BEGIN_FETCHES: &str =
    "<!-- The table is made from the rows of the fetches; NSPROXY_UPDATE_EXPECTED=1 writes it. -->\n\n";
const END_FETCHES: &str = "<!-- end of the fetches -->";

#[test]
fn the_page_has_every_keyword() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (tables, after) = rest.split_once(END).unwrap();
    if std::env::var_os("NSPROXY_UPDATE_EXPECTED").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", markdown())).unwrap();
        return;
    }
    assert!(
        tables == markdown(),
        "the tables are not those of:\n{}",
        markdown()
    );
}

#[test]
fn the_page_has_every_fetch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN_FETCHES).unwrap();
    let (table, after) = rest.split_once(END_FETCHES).unwrap();
    if std::env::var_os("NSPROXY_UPDATE_EXPECTED").is_some() {
        let table = fetches_markdown();
        fs::write(
            &path,
            format!("{before}{BEGIN_FETCHES}{table}{END_FETCHES}{after}"),
        )
        .unwrap();
        return;
    }
    assert!(
        table == fetches_markdown(),
        "the table is not that of:\n{}",
        fetches_markdown()
    );
}

#[test]
fn every_fetch_is_among_the_accepted_configurations() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accept");
    let texts = files(&directory, "cfg")
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap());
    let texts: String = texts.collect();
    let words: Vec<&str> = texts.split([' ', '\n', '(', ',']).collect();
    for fetch in fetches() {
        assert!(words.contains(&fetch.name()), "{}", fetch.name());
    }
}

#[test]
fn every_keyword_has_a_syntax_a_default_a_meaning_and_an_example_with_it() {
    for Entry { name, home, doc } in keywords() {
        let Doc {
            syntax,
            default,
            meaning,
            example,
        } = doc;
        for (part, text) in [("default", default), ("meaning", meaning)] {
            assert!(!text.trim().is_empty(), "`{name}` ({home:?}) has no {part}");
        }
        assert!(
            meaning.ends_with('.'),
            "the meaning of `{name}` is no sentence: {meaning}"
        );
        // `[no] option tcpka` is found under `option tcpka`.
        let syntax = syntax.strip_prefix("[no] ").unwrap_or(syntax);
        assert!(begins_with(syntax, name), "`{name}` is not how `{syntax}` begins");
        let has_it = match home {
            Home::Sections(_) => begins_with(example, name),
            Home::Line(line) => {
                let options = example.split_whitespace().skip(1);
                begins_with(example, line) && options.into_iter().any(|word| begins_with(word, name))
            }
        };
        assert!(has_it, "`{name}` ({home:?}) is not in its example: {example}");
    }
}

/// Whether a text begins with a keyword, and with no longer one.
fn begins_with(text: &str, keyword: &str) -> bool {
    let rest = text.strip_prefix(keyword);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '(']))
}

#[test]
fn the_example_of_every_keyword_is_accepted() {
    for entry in keywords() {
        let name = "reference.cfg";
        let result = parse(vec![Source::new(name, configuration(&entry))], &|_| None);
        if let Err(report) = result {
            panic!("{}: {report}", entry.name);
        }
    }
}

#[test]
fn some_refused_line_has_every_keyword() {
    let lines = refused_lines();
    for entry in keywords() {
        let found = lines.iter().any(|line| is_about(line, &entry));
        assert!(
            found,
            "no message in tests/reject is about `{}` ({:?})",
            entry.name, entry.home
        );
    }
}

/// The example where it belongs, in a configuration that is complete apart from it.
fn configuration(entry: &Entry) -> String {
    let section = match entry.home {
        Home::Sections(sections) => sections[0],
        Home::Line("bind") => "frontend",
        Home::Line("stats") => "global",
        Home::Line(_) => "backend",
    };
    let header = match section {
        "global" | "namespace_list" | "defaults" => section.to_owned(),
        _ => format!("{section} example"),
    };
    let others = if entry.name == "use-server" {
        "    server pool1 10.0.0.1:80\n"
    } else {
        ""
    };
    format!(
        "{header}\n    {}\n{others}backend pool\nbackend checked\n    server server 10.0.0.1:80 check\n",
        entry.doc.example
    )
}

/// The lines of `tests/reject` that a message shows.
fn refused_lines() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reject");
    let mut lines = Vec::new();
    for path in files(&directory, "cfg") {
        let shown = fs::read_to_string(path.with_extension("expected")).unwrap();
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let is_shown = |line: &&str| !line.trim().is_empty() && shown.contains(&format!("| {line}\n"));
        lines.extend(text.lines().filter(is_shown).map(str::to_owned));
    }
    lines
}

fn is_about(line: &str, entry: &Entry) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    match entry.home {
        Home::Sections(_) => {
            let name: Vec<&str> = entry.name.split(' ').collect();
            words.starts_with(&name)
        }
        Home::Line(first) => words.first() == Some(&first) && words[1..].contains(&entry.name),
    }
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}
