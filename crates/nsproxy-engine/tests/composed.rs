//! TLVs that are made for each session, in the header that a server gets.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{LOOPBACK, Relay, plan};
use nsproxy_engine::{Compose, ComposedTlv, HeaderPlan, SessionFacts, TlvPlan, UNIQUE_ID_LEN};
use nsproxy_testkit::{Listener, Peer};
use proxy_proto::{Command, TlvType, v2};

/// Numbers the sessions that it is asked about, and names their servers.
#[derive(Debug, Default)]
struct Numbers(AtomicUsize);

impl Compose for Numbers {
    fn compose(&self, facts: &SessionFacts<'_>, out: &mut Vec<u8>) {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        out.extend_from_slice(format!("{number} to {}", facts.server().unwrap_or("nobody")).as_bytes());
    }
}

#[derive(Debug)]
struct Endless;

impl Compose for Endless {
    fn compose(&self, _: &SessionFacts<'_>, out: &mut Vec<u8>) {
        out.resize(70_000, b'x');
    }
}

/// What a server reads of a header: its TLVs but that of the namespace.
fn tlvs(peer: &Peer) -> Vec<(TlvType, Vec<u8>)> {
    let mut header = peer.read_exact(16);
    let length = u16::from_be_bytes([header[14], header[15]]);
    header.extend(peer.read_exact(length.into()));
    let parsed = proxy_proto::parse(&header).unwrap();
    let tlvs = parsed.header.tlvs();
    tlvs.map(|tlv| (tlv.kind(), tlv.value().to_vec())).collect()
}

fn sends(origin: &Listener, accept: bool, tlvs: TlvPlan, id: Option<Arc<dyn Compose>>) -> Relay {
    let mut plan = plan(origin.address());
    plan.relays[0].listeners[0].accept_proxy = accept;
    plan.relays[0].unique_id = id;
    plan.pools[0].servers[0].send_header = Some(HeaderPlan::V2(tlvs));
    Relay::start(&plan)
}

/// Sends a header with what `add` puts into it.
fn send_header(client: &Peer, add: impl Fn(&mut v2::Builder<'_>)) {
    let addresses = proxy_proto::Addresses::from_socket_addrs(
        proxy_proto::Transport::Stream,
        "192.0.2.1:1".parse().unwrap(),
        "192.0.2.2:2".parse().unwrap(),
    );
    client.send(v2::to_vec(Command::Proxy(addresses.unwrap()), add).unwrap());
}

#[test]
fn each_session_has_its_identifier_and_its_composed_values() {
    let origin = Listener::bind(LOOPBACK);
    let value: Arc<dyn Compose> = Arc::<Numbers>::default();
    let composed = vec![ComposedTlv { kind: 0xe0, value }];
    let plan = TlvPlan {
        unique_id: true,
        composed,
        ..TlvPlan::default()
    };
    let relay = sends(&origin, false, plan, Some(Arc::<Numbers>::default()));
    for number in 0..2 {
        let _client = relay.connect();
        let text = format!("{number} to s").into_bytes();
        let expected = [(TlvType::UNIQUE_ID, text.clone()), (TlvType(0xe0), text)];
        assert_eq!(tlvs(&origin.accept()), expected);
    }
}

#[test]
fn an_identifier_is_cut_where_the_format_ends_and_a_header_that_does_not_fit_is_not_sent() {
    let origin = Listener::bind(LOOPBACK);
    let plan = TlvPlan {
        unique_id: true,
        ..TlvPlan::default()
    };
    let relay = sends(&origin, false, plan, Some(Arc::new(Endless)));
    let _client = relay.connect();
    let expected = [(TlvType::UNIQUE_ID, vec![b'x'; UNIQUE_ID_LEN])];
    assert_eq!(tlvs(&origin.accept()), expected);

    let value: Arc<dyn Compose> = Arc::new(Endless);
    let plan = TlvPlan {
        composed: vec![ComposedTlv { kind: 0xe0, value }],
        ..TlvPlan::default()
    };
    let relay = sends(&origin, false, plan, None);
    relay.connect().expect_closed();
    assert_eq!(relay.end().reason, nsproxy_engine::CloseReason::HeaderUnwritable);
}

#[test]
fn the_host_that_a_header_names_is_passed_on_alone() {
    let origin = Listener::bind(LOOPBACK);
    let plan = TlvPlan {
        authority: true,
        ..TlvPlan::default()
    };
    let relay = sends(&origin, true, plan, None);
    let client = relay.connect();
    send_header(&client, |header| {
        header.alpn(b"h2").authority("example.org");
    });
    let expected = [(TlvType::AUTHORITY, b"example.org".to_vec())];
    assert_eq!(tlvs(&origin.accept()), expected);
}

#[test]
fn what_is_composed_stands_for_what_was_received() {
    let origin = Listener::bind(LOOPBACK);
    let value: Arc<dyn Compose> = Arc::<Numbers>::default();
    let plan = TlvPlan {
        received: true,
        composed: vec![ComposedTlv {
            kind: TlvType::AUTHORITY.0,
            value,
        }],
        ..TlvPlan::default()
    };
    let relay = sends(&origin, true, plan, None);
    let client = relay.connect();
    send_header(&client, |header| {
        header.authority("example.org").alpn(b"h2");
    });
    let expected = [
        (TlvType::ALPN, b"h2".to_vec()),
        (TlvType::AUTHORITY, b"0 to s".to_vec()),
    ];
    assert_eq!(tlvs(&origin.accept()), expected);
}
