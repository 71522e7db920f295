//! `nsproxy header decode`: what PROXY headers say, for a reader or for a program.

use std::fmt::{self, Write as _};
use std::io::{self, BufRead, Read, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use proxy_proto::{ParseError, Parsed, v2};

use super::args::Decode;
use super::hex;
use super::json::Line;
use crate::{header_dump, log};

pub(super) fn decode(args: &Decode) -> anyhow::Result<ExitCode> {
    let mut answers = Answers {
        json: args.json,
        any: false,
        any_bad: false,
    };
    if args.raw {
        let bytes = raw_header(&mut io::stdin().lock()).context("cannot read standard input")?;
        answers.answer(&Place::StandardInput, &Ok(bytes))?;
    } else if args.headers.is_empty() {
        each_line(&mut io::stdin().lock(), &mut answers)?;
    } else {
        for (index, text) in args.headers.iter().enumerate() {
            answers.answer(&Place::Argument(index + 1), &hex::read(text.as_bytes()))?;
        }
    }
    Ok(if answers.any_bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Where an input comes from; counted from 1.
enum Place {
    Argument(usize),
    Line(usize),
    StandardInput,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(number) => write!(f, "argument {number}"),
            Self::Line(number) => write!(f, "line {number}"),
            Self::StandardInput => f.write_str("standard input"),
        }
    }
}

/// Writes answers one by one, each as soon as its input is there.
struct Answers {
    json: bool,
    any: bool,
    any_bad: bool,
}

impl Answers {
    fn answer(&mut self, place: &Place, input: &Result<Vec<u8>, hex::NotHex>) -> anyhow::Result<()> {
        let parsed = input.as_deref().map(proxy_proto::parse);
        self.any_bad |= !matches!(parsed, Ok(Ok(_)));
        if self.json {
            let line = match &parsed {
                Ok(parsed) => Line::of(parsed),
                Err(error) => Line::unreadable(error),
            };
            return print(&format!("{}\n", serde_json::to_string(&line)?));
        }
        match (input, parsed) {
            (Ok(bytes), Ok(Ok(parsed))) => self.dump(bytes, &parsed)?,
            (_, Ok(Err(error))) => log::complain(&format!("{place}: {error}")),
            (Err(error), _) | (_, Err(error)) => log::complain(&format!("{place}: {error}")),
        }
        Ok(())
    }

    fn dump(&mut self, bytes: &[u8], parsed: &Parsed<'_>) -> anyhow::Result<()> {
        let mut dump = String::new();
        if self.any {
            dump.push('\n');
        }
        self.any = true;
        dump += &header_dump::dump(bytes, parsed);
        let payload = bytes.len() - parsed.consumed;
        if payload > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(dump, "{:>4}  payload, {payload} bytes", parsed.consumed);
        }
        print(&dump)
    }
}

/// Each line of the input is one header, an empty one too: the answers can be counted.
fn each_line(input: &mut impl BufRead, answers: &mut Answers) -> anyhow::Result<()> {
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let read = input.read_until(b'\n', &mut text);
        if read.context("cannot read standard input")? == 0 {
            break;
        }
        answers.answer(&Place::Line(number), &hex::read(&text))?;
    }
    Ok(())
}

/// Reads until the bytes are a header, cannot become one, or end; never more than the longest header and a buffer.
fn raw_header(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while bytes.len() < v2::MAX_LEN
        && matches!(proxy_proto::parse(&bytes), Err(ParseError::Incomplete { .. }))
    {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to standard output")
}
