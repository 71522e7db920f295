//! The manual pages. They are made from what the program says of itself: its command line, the help of `nsproxy netns`, and
//! the keyword tables of the language. So they are complete, and cannot fall behind.

mod language;
mod page;
mod program;
#[cfg(test)]
mod tests;

pub(crate) use page::Page;

use crate::command::netns;

/// Each page, by the name of its file.
pub(crate) fn pages() -> [(&'static str, String); 3] {
    [
        ("nsproxy.1", program::page()),
        ("nsproxy-netns.1", netns::manual()),
        ("nsproxy.cfg.5", language::page()),
    ]
}
