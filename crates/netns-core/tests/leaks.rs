//! Nothing is left over: no descriptor, no mount, no thread.
//!
//! One test only, in a program of its own: descriptors and threads are counted for the whole process.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use netns_core::links::{Destination, Links, NsidChoice, Route};
use netns_core::{ExecEnvironment, Home, Netns, NetnsId, SocketPool, run, tcp_listener};
use socket2::{Domain, Type};
use util::holdings::LeakCheck;
use util::{in_private_namespaces, name, registry};

#[test]
fn no_operation_leaves_a_descriptor_a_thread_or_a_mount() {
    in_private_namespaces(|| {
        // The registry's own mount stays, by design.
        registry().add(&name("first")).unwrap();
        let other = registry().open(&name("first")).unwrap();
        let home = Home::of_this_thread().unwrap();
        let _check = LeakCheck::start();
        for _ in 0..10 {
            use_everything(&other, &home);
        }
    });
}

fn use_everything(other: &Netns, home: &Home) {
    registry().add(&name("foo")).unwrap();
    registry().add(&name("foo")).unwrap_err();
    registry().attach(&name("bar"), other).unwrap();
    registry().attach(&name("bar"), other).unwrap_err();
    registry().open(&name("nope")).unwrap_err();
    registry().list().unwrap();
    registry().remove(&name("foo")).unwrap();
    registry().remove(&name("bar")).unwrap();
    assert!(registry().add_each(&[name("foo"), name("first")])[1].is_err());
    registry().remove(&name("foo")).unwrap();
    registry().remove(&name("bar")).unwrap_err();

    Netns::create().unwrap().id().unwrap();
    Netns::open_path("/etc/passwd").unwrap_err();
    Netns::open_path("/proc/thread-self/ns/uts").unwrap_err();

    run(other, || ()).unwrap();
    catch_unwind(|| run(other, || panic!("inside"))).unwrap_err();
    other.enter().unwrap().leave().unwrap();
    drop(other.enter().unwrap());
    home.visit(other, || ()).unwrap();
    catch_unwind(AssertUnwindSafe(|| home.visit(other, || panic!("inside")))).unwrap_err();

    let mut links = Links::in_netns(other).unwrap();
    links.set_up("lo").unwrap();
    links.set_up("nope").unwrap_err();
    let listener = tcp_listener(other, "127.0.0.1:0".parse().unwrap()).unwrap();
    assert_eq!(NetnsId::of_socket(&listener).unwrap(), other.id().unwrap());
    tcp_listener(other, "192.0.2.1:0".parse().unwrap()).unwrap_err();

    use_processes_and_changes(other);
    wire(other);
}

fn use_processes_and_changes(other: &Netns) {
    let mut watch = registry().watch().unwrap();
    registry().add(&name("foo")).unwrap();
    assert_eq!(watch.events().unwrap().len(), 2);
    registry().remove(&name("foo")).unwrap();
    assert!(!watch.events().unwrap().is_empty());

    let own = Netns::open_pid(std::process::id()).unwrap();
    own.owner().unwrap().owner_uid().unwrap();
    own.pids().unwrap();
    own.threads().unwrap();
    registry().identify(std::process::id()).unwrap();
    registry().reach().unwrap();

    let mut pool = SocketPool::of_this_thread(NonZeroUsize::new(4).unwrap(), 8).unwrap();
    let spec = "first".parse().unwrap();
    for _ in 0..4 {
        pool.socket(&spec, Domain::IPV4, Type::STREAM, None).unwrap();
    }
    assert_eq!(pool.idle(), 3);

    thread::scope(|scope| {
        let environment = ExecEnvironment::named(&name("first"));
        scope.spawn(move || environment.enter(other).unwrap());
    });
}

fn wire(other: &Netns) {
    let mut here = Links::here().unwrap();
    here.create_veth("v0", "v1", None).unwrap();
    here.add_address("v0", "10.0.0.1".parse().unwrap(), 24).unwrap();
    here.set_up("v0").unwrap();
    here.add_route(&Route::on(Destination::Default, "v0")).unwrap();
    here.list_addresses().unwrap();
    here.list_routes().unwrap();
    here.nsid_of(other).unwrap();
    here.set_nsid(&Netns::create().unwrap(), NsidChoice::Auto)
        .unwrap();
    here.list_nsids(None).unwrap();
    here.move_to("lo", other, Some("v2")).unwrap_err();
    here.move_to("v1", other, Some("lo")).unwrap_err();
    here.move_to("v1", other, Some("v2")).unwrap();
    here.delete("v0").unwrap();
}
