//! Every seed and every input that once failed, through every target, as ordinary tests.

mod kept;

use std::fs;
use std::path::{Path, PathBuf};

use nsproxy_fuzz::proxy;

#[test]
fn reading_keeps_its_promises_on_every_kept_input() {
    kept().iter().for_each(|(_, bytes)| proxy::decode(bytes));
}

#[test]
fn writing_keeps_its_promises_on_every_kept_input() {
    kept().iter().for_each(|(_, bytes)| proxy::round_trip(bytes));
}

#[test]
fn every_difference_from_other_implementations_on_kept_inputs_is_listed() {
    kept().iter().for_each(|(_, bytes)| proxy::differential(bytes));
}

#[test]
fn the_seeds_are_the_vectors() {
    let file = fs::read_to_string(root().join("../crates/proxy-proto/tests/vectors.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&file).unwrap();
    let vectors = vectors.as_array().unwrap();
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let seed =
            fs::read(root().join("seeds/proxy").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(vector["hex"].as_str(), Some(&hex[..]), "{name}");
    }
    assert_eq!(
        vectors.len(),
        fs::read_dir(root().join("seeds/proxy")).unwrap().count()
    );
}

fn kept() -> Vec<(PathBuf, Vec<u8>)> {
    kept::inputs("proxy", 100)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
