//! The words of a command, read one by one, each with its place, so that a complaint can point at it.
//!
//! The words come from the command line or from a line of a topology file; nobody behind this can tell which.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;

use netns_core::links::Destination;
use netns_core::{NetnsName, NetnsSpec};

use super::failure::{Failure, Result};

/// One word and where it stands: its number on a command line, its column in a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: OsString,
    pub(super) place: usize,
}

impl Word {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// Whether it is `full` or the beginning of it, as `ip` matches its own words.
    pub(super) fn abbreviates(&self, full: &str) -> bool {
        !self.text.is_empty() && full.as_bytes().starts_with(self.text.as_bytes())
    }

    /// The words of a command line.
    pub(super) fn number(words: impl IntoIterator<Item = OsString>) -> Vec<Self> {
        words
            .into_iter()
            .enumerate()
            .map(|(place, text)| Self { text, place })
            .collect()
    }

    /// As it is printed in a complaint.
    pub(super) fn shown(&self) -> String {
        shown(&self.text)
    }

    pub(super) fn wrong(&self, why: impl std::fmt::Display) -> Failure {
        Failure::usage(why).at(self.place)
    }

    pub(super) fn netns_name(&self) -> Result<NetnsName> {
        NetnsName::new(&self.text)
            .map_err(|error| self.wrong(format_args!("Invalid netns name \"{}\": {error}", self.shown())))
    }

    pub(super) fn netns_spec(&self) -> Result<NetnsSpec> {
        NetnsSpec::new(&self.text)
            .map_err(|error| self.wrong(format_args!("Invalid netns name \"{}\": {error}", self.shown())))
    }

    /// Text that has to be UTF-8, because what it names is.
    pub(super) fn utf8(&self) -> Result<String> {
        match self.text.to_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(self.wrong(format_args!("\"{}\" is not UTF-8", self.shown()))),
        }
    }

    /// A number; `what` says of what, with its range.
    pub(super) fn number_of<T: FromStr>(&self, what: &str) -> Result<T> {
        self.text
            .to_str()
            // Rust takes a sign; a number of these kinds has none.
            .filter(|text| !text.starts_with('+'))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.wrong(format_args!("\"{}\" is not {what}", self.shown())))
    }

    /// A number as `strtol` reads it with base 0, for `ip netns` does: 16, 0x10, 020. At most 2147483647, never negative.
    pub(super) fn c_number(&self) -> Option<u32> {
        let text = self.text.to_str()?;
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None if text.len() > 1 && text.starts_with('0') => (text, 8),
            None => (text, 10),
        };
        // Rust takes a sign.
        if digits.starts_with('+') {
            return None;
        }
        u32::from_str_radix(digits, radix)
            .ok()
            .filter(|&number| i32::try_from(number).is_ok())
    }

    pub(super) fn ip(&self) -> Result<IpAddr> {
        self.number_of("an IP address")
    }

    /// `ADDRESS/PREFIX`; without a prefix it is that of one host.
    pub(super) fn ip_and_prefix(&self) -> Result<(IpAddr, u8)> {
        let wrong = || {
            self.wrong(format_args!(
                "\"{}\" is not an address with a prefix length, such as 10.0.0.1/24",
                self.shown()
            ))
        };
        let text = self.text.to_str().ok_or_else(wrong)?;
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(prefix) => match prefix.parse() {
                Ok(prefix) if prefix <= bits && !text.contains("/+") => prefix,
                _ => return Err(wrong()),
            },
        };
        Ok((address, prefix))
    }

    /// `default`, or a network.
    pub(super) fn destination(&self) -> Result<Destination> {
        if self.is("default") {
            return Ok(Destination::Default);
        }
        let (address, prefix) = self.ip_and_prefix()?;
        if host_bits(address, prefix) {
            return Err(self.wrong(format_args!(
                "\"{}\" is the address of a host; a network's has zeros behind its prefix",
                self.shown()
            )));
        }
        Ok(match (address, prefix) {
            (IpAddr::V4(address), 0) if address.is_unspecified() => Destination::Default,
            _ => Destination::Network { address, prefix },
        })
    }
}

/// Whether a bit behind the prefix is set.
fn host_bits(address: IpAddr, prefix: u8) -> bool {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_shl(prefix.into()).unwrap_or(0) != 0,
        IpAddr::V6(address) => address.to_bits().checked_shl(prefix.into()).unwrap_or(0) != 0,
    }
}

/// Bytes as text for a person: one line, whatever is in them.
pub(super) fn shown(text: &OsStr) -> String {
    text.as_bytes()
        .utf8_chunks()
        .map(|chunk| {
            let mut text = String::new();
            for char in chunk.valid().chars() {
                if char.is_control() {
                    text.extend(char.escape_default());
                } else {
                    text.push(char);
                }
            }
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", chunk.invalid().escape_ascii());
            text
        })
        .collect()
}

/// What has not been read yet of a command.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    rest: &'a [Word],
    /// Where a word that is missing would stand.
    end: usize,
}

impl<'a> Words<'a> {
    /// The words behind `first`, which has been understood.
    pub(super) fn behind(first: &Word, words: &'a [Word]) -> Self {
        let last = words.last().unwrap_or(first);
        Self {
            rest: words,
            end: last.place + last.text.len(),
        }
    }

    pub(super) fn peek(&self) -> Option<&'a Word> {
        self.rest.first()
    }

    pub(super) fn rest(&self) -> &'a [Word] {
        self.rest
    }

    /// Where a missing word would stand.
    pub(super) fn end_place(&self) -> usize {
        self.end
    }

    /// Takes the word for an action, which may be abbreviated; none if there is no word.
    pub(super) fn choose<T: Copy>(&mut self, actions: &[(&str, T)]) -> Result<Option<T>> {
        let Some(word) = self.next() else { return Ok(None) };
        if let Some(&(_, action)) = actions.iter().find(|(name, _)| word.abbreviates(name)) {
            return Ok(Some(action));
        }
        let names: Vec<_> = actions.iter().map(|&(name, _)| name).collect();
        Err(word.wrong(format_args!(
            "\"{}\" is unknown here; it is one of: {}",
            word.shown(),
            names.join(", ")
        )))
    }

    /// The next word; `missing` is the complaint when there is none.
    pub(super) fn require(&mut self, missing: &str) -> Result<&'a Word> {
        self.next().ok_or_else(|| Failure::usage(missing).at(self.end))
    }

    /// Takes the next word if it is `text`.
    pub(super) fn take_if(&mut self, text: &str) -> bool {
        let is = self.peek().is_some_and(|word| word.is(text));
        if is {
            self.next();
        }
        is
    }

    /// The word behind the keyword that was just taken.
    pub(super) fn value(&mut self, keyword: &Word) -> Result<&'a Word> {
        self.next().ok_or_else(|| {
            keyword.wrong(format_args!(
                "Command line is not complete: \"{}\" needs a value",
                keyword.shown()
            ))
        })
    }

    /// Complains about a word that is left over.
    pub(super) fn end(&self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(word.wrong(format_args!("\"{}\" is one word too many here", word.shown()))),
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a Word;

    fn next(&mut self) -> Option<&'a Word> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }
}

/// A value that may be given once.
pub(super) fn once<T>(slot: &mut Option<T>, keyword: &Word, value: T) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(keyword.wrong(format_args!("\"{}\" is given twice", keyword.shown())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word {
            text: text.into(),
            place: 7,
        }
    }

    #[test]
    fn an_address_has_a_prefix_that_fits_its_family() {
        assert_eq!(word("10.0.0.1/24").ip_and_prefix().unwrap().1, 24);
        assert_eq!(word("10.0.0.1").ip_and_prefix().unwrap().1, 32);
        assert_eq!(word("fd00::1").ip_and_prefix().unwrap().1, 128);
        for wrong in [
            "10.0.0.1/33",
            "10.0.0.1/",
            "10.0.0.1/+4",
            "fd00::/129",
            "x/3",
            "",
            "10.0.0/8",
        ] {
            let failure = word(wrong).ip_and_prefix().unwrap_err();
            assert_eq!(failure.place(), Some(7), "{wrong}");
        }
    }

    #[test]
    fn a_destination_is_a_network_and_not_a_host_in_one() {
        assert_eq!(word("default").destination().unwrap(), Destination::Default);
        assert_eq!(word("0.0.0.0/0").destination().unwrap(), Destination::Default);
        assert!(word("10.0.0.0/8").destination().is_ok());
        assert!(word("10.0.0.1").destination().is_ok());
        assert!(word("10.0.0.1/8").destination().is_err());
        assert!(word("fd00::1/64").destination().is_err());
    }

    #[test]
    fn a_number_is_read_as_ip_netns_reads_it_but_is_never_negative() {
        assert_eq!(word("16").c_number(), Some(16));
        assert_eq!(word("0x10").c_number(), Some(16));
        assert_eq!(word("020").c_number(), Some(16));
        assert_eq!(word("0").c_number(), Some(0));
        for wrong in [
            "",
            "-1",
            "+1",
            "0x+1",
            "abc",
            "08",
            "1 ",
            "4294967297",
            "2147483648",
        ] {
            assert_eq!(word(wrong).c_number(), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_complaint_shows_a_word_on_one_line() {
        assert_eq!(shown(OsStr::from_bytes(b"a\nb\xff\"")), "a\\nb\\xff\"");
    }
}
