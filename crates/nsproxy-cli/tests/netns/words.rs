//! Options and help, as they are typed.

use nsproxy_testkit::world;

use crate::common::{answer, has, quiet, refusal, run};

const SUBCOMMANDS: [&str; 15] = [
    "list", "add", "attach", "set", "delete", "identify", "pids", "monitor", "exec", "unshare", "list-id",
    "link", "address", "route", "apply",
];

#[test]
fn every_subcommand_has_its_help() {
    world("help", |w| {
        let general = answer(w, "--help");
        assert_eq!(answer(w, "help"), general);
        assert_eq!(answer(w, "-h"), general);
        for subcommand in SUBCOMMANDS {
            has(&general, &[&format!("\n  {subcommand}")]);
            let own = answer(w, &format!("{subcommand} --help"));
            has(&own, &["Usage: nsproxy netns", subcommand]);
            assert_eq!(answer(w, &format!("--help {subcommand}")), own);
        }
        let whole = quiet(run(w, &format!("{} --help", env!("CARGO_BIN_EXE_nsproxy"))));
        has(&whole, &["netns", "`ip netns`"]);
    });
}

#[test]
fn an_option_without_effect_is_refused() {
    world("no-effect", |w| {
        for words in [
            "-all list",
            "-all",
            "-j add x",
            "-j monitor",
            "-p add x",
            "pids x --pretty",
            "--delete list",
            "-x",
            "list -n",
            "-n",
            "list more",
            "monitor more",
        ] {
            refusal(w, 255, words);
        }
        assert_eq!(answer(w, "list"), "");
    });
}

#[test]
fn options_may_stand_on_either_side_of_the_subcommand() {
    world("sides", |w| {
        answer(w, "add a");
        for words in ["-j list", "list -j", "--json list", "list --json", "-js l"] {
            assert_eq!(answer(w, words), "[{\"name\":\"a\"}]\n", "{words}");
        }
        assert_eq!(answer(w, "identify -n a"), "a\n");
        assert_eq!(answer(w, "-n /run/netns/a identify"), "a\n");
        has(&refusal(w, 255, "-n a -n a list"), &["twice"]);
    });
}
