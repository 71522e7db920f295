//! Patterns: what a value is compared with, one word or one line of a file each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use crate::model::{Method, Patterns};
use crate::values::number::shorten;
use crate::values::regex;

/// Takes patterns of one method, one by one.
pub(super) struct Reader {
    method: Method,
    /// `eq`, `ge`, `gt`, `le`, `lt` hold for the numbers behind them.
    operator: Operator,
    patterns: Patterns,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    AtLeast,
    Above,
    AtMost,
    Below,
}

/// Why a word is no pattern.
pub(super) type Fault = String;

impl Reader {
    pub(super) fn new(method: Method) -> Self {
        Self {
            method,
            operator: Operator::Equal,
            patterns: match method {
                Method::Found | Method::Bool => Patterns::None,
                Method::Int | Method::Version | Method::Len => Patterns::Numbers(Vec::new()),
                Method::Ip => Patterns::Networks(Vec::new()),
                Method::Bin => Patterns::Bytes(Vec::new()),
                _ => Patterns::Texts(Vec::new()),
            },
        }
    }

    /// Takes one. `is_word`: it stands on the line itself, where operators have a meaning.
    pub(super) fn take(&mut self, text: &str, is_word: bool) -> Result<(), Fault> {
        match &mut self.patterns {
            Patterns::None => return Err("takes no pattern".to_owned()),
            Patterns::Numbers(numbers) => {
                if is_word && let Some(operator) = operator(text) {
                    self.operator = operator;
                    return Ok(());
                }
                let number = if self.method == Method::Version {
                    version
                } else {
                    number
                };
                numbers.push(range(text, number, self.operator)?);
            }
            Patterns::Networks(networks) => networks.push(network(text)?),
            Patterns::Texts(texts) => {
                // Whether an `-i` comes is not known yet.
                if self.method == Method::Reg
                    && let Some(fault) = regex::fault(text, true)
                {
                    return Err(format!(
                        "`{}` is not a regular expression: {fault}",
                        shorten(text)
                    ));
                }
                texts.push(text.to_owned());
            }
            Patterns::Bytes(bytes) => bytes.push(hexadecimal(text)?),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Patterns {
        self.patterns
    }
}

fn operator(text: &str) -> Option<Operator> {
    Some(match text {
        "eq" => Operator::Equal,
        "ge" => Operator::AtLeast,
        "gt" => Operator::Above,
        "le" => Operator::AtMost,
        "lt" => Operator::Below,
        _ => return None,
    })
}

/// A number, or two with a colon or a dash between them, of which one may be missing.
fn range(
    text: &str,
    number: fn(&str) -> Option<i64>,
    operator: Operator,
) -> Result<RangeInclusive<i64>, Fault> {
    let no_number = || format!("`{}` is not a number", shorten(text));
    // A dash at the beginning is HAProxy's range without a first number; only behind an operator is it a sign.
    let separator = text.find([':', '-']).filter(|_| operator == Operator::Equal);
    let Some(at) = separator else {
        let value = number(text).ok_or_else(no_number)?;
        return Ok(match operator {
            Operator::Equal => value..=value,
            Operator::AtLeast => value..=i64::MAX,
            Operator::Above => value.saturating_add(1)..=i64::MAX,
            Operator::AtMost => i64::MIN..=value,
            Operator::Below => i64::MIN..=value.saturating_sub(1),
        });
    };
    let (first, last) = (&text[..at], &text[at + 1..]);
    let end = |text: &str, open| {
        if text.is_empty() { Some(open) } else { number(text) }
    };
    let range = end(first, i64::MIN).zip(end(last, i64::MAX));
    match range {
        Some((first, last)) if first <= last && text.len() > 1 => Ok(first..=last),
        Some(_) => Err(format!("`{}` is an empty range", shorten(text))),
        None => Err(format!("`{}` is not a range of numbers", shorten(text))),
    }
}

fn number(text: &str) -> Option<i64> {
    let is_number = text
        .strip_prefix('-')
        .unwrap_or(text)
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// `3.1`, or `3` for `3.0`.
fn version(text: &str) -> Option<i64> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let half = |text: &str| number(text).filter(|value| (0..0x1_0000).contains(value));
    half(major)
        .zip(half(minor))
        .map(|(major, minor)| major << 16 | minor)
}

/// An address, or one with a mask: a number of bits, or dotted for IPv4.
fn network(text: &str) -> Result<(IpAddr, u8), Fault> {
    let no_network = || format!("`{}` is not an IP address or network", shorten(text));
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    if let Ok(ip) = address.parse::<Ipv6Addr>() {
        let bits = mask.map_or(Some(128), |mask| bits(mask, 128));
        return bits.map(|bits| (IpAddr::V6(ip), bits)).ok_or_else(no_network);
    }
    let ip = ipv4(address).ok_or_else(no_network)?;
    let bits = match mask {
        None => Some(32),
        Some(mask) => bits(mask, 32).or_else(|| dotted_mask(mask)),
    };
    bits.map(|bits| (IpAddr::V4(ip), bits)).ok_or_else(no_network)
}

fn bits(text: &str, most: u8) -> Option<u8> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|bits: &u8| is_number && *bits <= most)
}

/// A mask whose bits are all at its beginning.
fn dotted_mask(text: &str) -> Option<u8> {
    let mask = u32::from(text.parse::<Ipv4Addr>().ok()?);
    let ones = mask.leading_ones();
    let is_contiguous = mask.count_ones() == ones;
    u8::try_from(ones).ok().filter(|_| is_contiguous)
}

/// `10.12` is `10.0.0.12`, as in HAProxy's manual: what is left out is 0, before the last number.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    let parts: Option<Vec<u8>> = text.split('.').map(|part| bits(part, u8::MAX)).collect();
    match parts.as_deref() {
        Some(&[a, d]) => Some([a, 0, 0, d].into()),
        Some(&[a, b, d]) => Some([a, b, 0, d].into()),
        _ => None,
    }
}

fn hexadecimal(text: &str) -> Result<Vec<u8>, Fault> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
        _ => None,
    });
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes.ok_or_else(|| format!("`{}` is not an even number of hexadecimal digits", shorten(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(words: &[&str], method: Method) -> Result<Patterns, Fault> {
        let mut reader = Reader::new(method);
        for word in words {
            reader.take(word, true)?;
        }
        Ok(reader.finish())
    }

    #[test]
    fn numbers_are_ranges_and_operators_hold_for_those_behind_them() {
        for (words, ranges) in [
            (&["80", "443"][..], vec![80..=80, 443..=443]),
            (&["1024:"], vec![1024..=i64::MAX]),
            (&[":1023"], vec![i64::MIN..=1023]),
            (&["1-5"], vec![1..=5]),
            (&["lt", "0"], vec![i64::MIN..=-1]),
            (&["gt", "3", "eq", "1"], vec![4..=i64::MAX, 1..=1]),
            (&["ge", "3", "le", "-2"], vec![3..=i64::MAX, i64::MIN..=-2]),
        ] {
            assert_eq!(
                numbers(words, Method::Int),
                Ok(Patterns::Numbers(ranges)),
                "{words:?}"
            );
        }
        for word in ["", ":", "5:1", "x", "1:x", "1.5", "+1"] {
            assert!(numbers(&[word], Method::Int).is_err(), "{word}");
        }
    }

    #[test]
    fn versions_are_two_numbers() {
        let patterns = numbers(&["3", "3.1:3.3"], Method::Version);
        assert_eq!(
            patterns,
            Ok(Patterns::Numbers(vec![0x3_0000..=0x3_0000, 0x3_0001..=0x3_0003]))
        );
        assert!(numbers(&["3.x"], Method::Version).is_err());
    }

    #[test]
    fn networks_have_a_mask_or_none() {
        for (text, ip, bits) in [
            ("10.0.0.1", "10.0.0.1", 32),
            ("10.12/8", "10.0.0.12", 8),
            ("192.168.1", "192.168.0.1", 32),
            ("10.0.0.0/255.255.0.0", "10.0.0.0", 16),
            ("::1", "::1", 128),
            ("2001:db8::/32", "2001:db8::", 32),
        ] {
            assert_eq!(network(text), Ok((ip.parse().unwrap(), bits)), "{text}");
        }
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "10.0.0.0/255.0.255.0",
            "host",
            "::/129",
            "1.2.3.4/",
            "1.2.3.256",
        ] {
            assert!(network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_pairs_of_digits() {
        assert_eq!(hexadecimal("16fF"), Ok(vec![0x16, 0xff]));
        assert!(hexadecimal("16f").is_err() && hexadecimal("zz").is_err() && hexadecimal("é").is_err());
    }
}
