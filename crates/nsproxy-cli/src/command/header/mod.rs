//! `nsproxy header`: PROXY headers by hand, taken apart and built. It opens no connection: pipe the bytes into another
//! program.

mod args;
mod decode;
mod encode;
mod hex;
mod json;

use std::process::ExitCode;

pub(crate) use args::Header;

pub(crate) fn header(args: &Header) -> anyhow::Result<ExitCode> {
    match args {
        Header::Decode(args) => decode::decode(args),
        Header::Encode(args) => encode::encode(args),
    }
}
