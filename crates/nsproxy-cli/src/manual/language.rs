//! `nsproxy.cfg(5)`: the language, with every keyword and fetch of its tables.

use nsproxy_config::reference::{Entry, FetchDoc, Home, fetches, keywords};

use super::Page;

const DESCRIPTION: &str = "\
The language is HAProxy's, as far as it concerns relaying TCP. `nsproxy check -f FILE` says everything that is wrong with a
file, with its place and what was expected; `nsproxy config fmt FILE` writes it in one style; `nsproxy config show -f FILE` shows
what it comes to.

`-f` may be given several times. A directory stands for its `*.cfg` files in the order of their names. All files are one
configuration: a section goes on in the next file.
";

const WORDS: &str = "\
Blanks separate words, and `#` begins a comment. A backslash takes the special meaning from the character behind it. What
stands in `'...'` stands as it is; in `\"...\"`, variables are replaced: `\"$NAME\"`, `\"${NAME}\"`, and `\"${NAME-text}\"` for a
text where there is no such variable.

A time is a whole number with a unit: `us`, `ms` (if there is none), `s`, `m`, `h` or `d`; 0 is \"never\".

Lines between `.if CONDITION` and `.endif` count only if the condition holds; `.elif CONDITION` and `.else` are known, too.
";

const SECTIONS: [(&str, &str); 6] = [
    ("global", "What concerns the process. There may be several."),
    (
        "namespace_list",
        "The namespaces that a received PROXY header may select.",
    ),
    (
        "defaults [NAME] [from NAME]",
        "Settings for the proxies below, until the next one.",
    ),
    ("frontend NAME [from NAME]", "Where to listen."),
    ("backend NAME [from NAME]", "Where to connect."),
    ("listen NAME [from NAME]", "Both in one."),
];

const KEYWORDS: &str = "\
Words in capitals stand for something, `[...]` may be left out, `|` separates alternatives. The options of a line follow it,
each with the line's first word before it and a colon.
";

const CONDITIONS: &str = "\
A condition stands behind `if` or `unless`: names of `acl` lines above, and tests in braces, which are an `acl` without a name.
All of those between two `or`s (or `||`) have to hold, and `!` negates one. A test is a fetch, converters behind commas, flags,
and patterns. It holds when the value matches one of the patterns.
";

const CONVERTERS: [(&str, &str); 4] = [
    ("lower, upper", "The same with small letters, or capitals."),
    ("length", "Its length."),
    ("hex", "Its bytes as hexadecimal digits, in capitals."),
    (
        "ipmask(V4[,V6])",
        "The network of an address: so many of its first bits.",
    ),
];

const FLAGS: [(&str, &str); 5] = [
    ("-i", "Letters match in both cases."),
    (
        "-m METHOD",
        "How to compare: `found`, `bool`, `int`, `ip`, `str`, `beg`, `end`, `sub`, `dir`, `dom`, `reg`, `bin` or `len`. By default \
         `bool`, `int`, `ip` or `str`, by the kind of the value.",
    ),
    (
        "-f FILE",
        "Patterns from a file, one on each line. Empty lines and those that begin with `#` do not count.",
    ),
    ("-n", "Nothing: names are never looked up."),
    ("--", "A pattern follows, even if it begins with a dash."),
];

const EXAMPLE: &str = "\
Clients of two networks with the same addresses, each to the service of the other:

    defaults
      timeout connect 5s
      timeout client 1m
      timeout server 1m
    listen to-blue
      bind 10.0.0.1:80 namespace red
      server web 10.0.0.5:80 namespace blue send-proxy-v2
    listen to-red
      bind 10.0.0.1:80 namespace blue
      server web 10.0.0.5:80 namespace red
";

pub(super) fn page() -> String {
    let about = "the configuration of nsproxy";
    let mut page = Page::new("nsproxy.cfg", "5", about);
    page.section("DESCRIPTION");
    page.text(DESCRIPTION);
    page.section("WORDS");
    page.text(WORDS);
    page.section("SECTIONS");
    page.items(&SECTIONS);
    page.section("KEYWORDS");
    page.text(KEYWORDS);
    for entry in keywords() {
        let (word, text) = keyword(&entry);
        page.item(&word, &text);
    }
    page.section("CONDITIONS");
    page.text(CONDITIONS);
    page.subsection("Converters");
    page.items(&CONVERTERS);
    page.subsection("Flags");
    page.items(&FLAGS);
    page.subsection("Fetches");
    for FetchDoc {
        syntax,
        kind,
        meaning,
    } in fetches()
    {
        page.item(syntax, &format!("{meaning} It is {} {kind}.", article(kind)));
    }
    page.section("EXAMPLE");
    page.text(EXAMPLE);
    page.section("SEE ALSO");
    page.text("nsproxy(1), nsproxy-netns(1), haproxy(1)");
    page.finish()
}

fn keyword(entry: &Entry) -> (String, String) {
    let doc = entry.doc;
    let default = match doc.default.trim_end_matches('.') {
        "" => String::new(),
        default => format!(" Default: {default}."),
    };
    let (word, sections) = match entry.home {
        Home::Sections(sections) => (doc.syntax.to_owned(), format!(" In: {}.", sections.join(", "))),
        Home::Line(line) => (format!("{line}: {}", doc.syntax), String::new()),
    };
    let text = format!("{}{default}{sections} Example: `{}`", doc.meaning, doc.example);
    (word, text)
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}
