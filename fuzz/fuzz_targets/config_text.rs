//! Configuration text: never a panic, every complaint with its place, in bounded time; formatting and showing keep the
//! meaning.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nsproxy_fuzz::config::text(data));
