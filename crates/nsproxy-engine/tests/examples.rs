//! The examples do what they say. `cargo test` builds them beside the tests.

use std::process::Command;

#[test]
fn another_program_embeds_the_engine_with_its_own_opener_and_observer() {
    let mut directory = std::env::current_exe().expect("this test is a file");
    // `target/PROFILE/deps/THIS_TEST`
    directory.pop();
    directory.pop();
    let output = Command::new(directory.join("examples/embed"))
        .output()
        .expect("the example is built with the tests");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {said}", output.status);
    assert!(said.contains("session"), "{said}");
}
