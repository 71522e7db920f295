//! The proof that the crate needs neither the standard library nor an allocator: a static library with its own panic
//! handler links it (`tests/no_std/`), and stops linking when the standard library comes in.

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn a_library_with_its_own_panic_handler_links_the_crate() {
    let output = build("plain", &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_same_library_fails_to_build_once_the_standard_library_is_in() {
    let output = build("with-std", &["--features", "std"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "built with the standard library in it");
    assert!(
        stderr.contains("panic_impl"),
        "failed for another reason: {stderr}"
    );
}

fn build(name: &str, features: &[&str]) -> Output {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/no_std/Cargo.toml");
    Command::new(env!("CARGO"))
        .args(["build", "--offline", "--release", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std").join(name))
        .args(features)
        // Flags meant for the host's tests, such as coverage, want the standard library.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs")
}
