//! Properties of [`Flow`](super::flow::Flow) over arbitrary lists of outcomes, be they what a kernel would do or not.

use proptest::prelude::*;

use super::close::CloseReason;
use super::flow::{Fill, Flow, FlowStep, Flush};
use super::moment::Moment;
use super::readiness::Readiness;
use super::session::{Connect, Session, Step};
use super::side::{Direction, Side};

#[derive(Debug, Clone, Copy)]
enum Operation {
    Copied {
        bytes: usize,
        more: usize,
    },
    Spliced(usize),
    FillWouldBlock,
    Eof,
    /// Percent of what is in flight, at least a byte.
    Flushed(usize),
    FlushWouldBlock,
    NoPipe,
    SourceEdge(u8),
    SinkEdge(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (1_usize..100_000, 0_usize..2).prop_map(|(bytes, more)| Operation::Copied { bytes, more }),
        (1_usize..2_000_000).prop_map(Operation::Spliced),
        Just(Operation::FillWouldBlock),
        Just(Operation::Eof),
        (0_usize..150).prop_map(Operation::Flushed),
        (0_usize..150).prop_map(Operation::Flushed),
        Just(Operation::FlushWouldBlock),
        Just(Operation::NoPipe),
        (0_u8..16).prop_map(Operation::SourceEdge),
        (0_u8..16).prop_map(Operation::SinkEdge),
    ]
}

proptest! {
    /// The driver may fill early, and operations may come in any order: the books stay right.
    #[test]
    fn no_more_is_flushed_than_was_filled_and_a_full_pipe_never_hides_the_source(
        operations in prop::collection::vec(operation(), 1..200),
    ) {
        let mut flow = Flow::default();
        let (mut source, mut sink) = (Readiness::UNTRIED, Readiness::UNTRIED);
        let (mut filled, mut shut) = (0_u64, false);
        for operation in operations {
            let before = source;
            match operation {
                // Nothing is filled after the end.
                Operation::Copied { .. } | Operation::Spliced(_) | Operation::Eof if flow.has_eof() => {}
                Operation::Copied { bytes, more } => {
                    flow.on_fill(Fill::Copied { bytes, asked: bytes + more }, &mut source);
                    filled += bytes as u64;
                }
                Operation::Spliced(bytes) => {
                    flow.on_fill(Fill::Spliced(bytes), &mut source);
                    filled += bytes as u64;
                    prop_assert_eq!(source, before, "a short splice says nothing");
                }
                Operation::FillWouldBlock => {
                    flow.on_fill(Fill::WouldBlock, &mut source);
                    prop_assert!(flow.in_flight() == 0 || source == before, "it may be the pipe that is full");
                }
                Operation::Eof => flow.on_fill(Fill::Eof, &mut source),
                Operation::Flushed(percent) => {
                    let bytes = (flow.in_flight() * percent / 100).max(1).min(flow.in_flight());
                    if bytes > 0 {
                        flow.on_flush(Flush::Moved(bytes), &mut sink);
                    }
                }
                Operation::FlushWouldBlock => {
                    flow.on_flush(Flush::WouldBlock, &mut sink);
                    prop_assert!(!sink.contains(Readiness::WRITABLE));
                }
                Operation::NoPipe => flow.demote(),
                Operation::SourceEdge(bits) => source |= Readiness::from_bits_truncate(bits),
                Operation::SinkEdge(bits) => sink |= Readiness::from_bits_truncate(bits),
            }
            prop_assert_eq!(flow.flushed() + flow.in_flight() as u64, filled);
            match flow.next_step(source, sink) {
                FlowStep::Fill(_) => {
                    prop_assert!(flow.in_flight() == 0 && !flow.has_eof());
                    prop_assert!(source.contains(Readiness::READABLE) && sink.contains(Readiness::WRITABLE));
                }
                FlowStep::Flush => prop_assert!(flow.in_flight() > 0 && sink.contains(Readiness::WRITABLE)),
                FlowStep::ShutdownWrite => {
                    prop_assert!(flow.has_eof() && flow.in_flight() == 0 && !shut);
                    flow.on_shutdown();
                    shut = true;
                }
                FlowStep::Wait => prop_assert!(!flow.is_done()),
                FlowStep::Done => prop_assert!(shut),
            }
        }
    }

    /// What one direction does leaves the bytes and the end of the other one alone, until the session closes.
    #[test]
    fn the_two_directions_touch_each_other_only_at_the_close(
        operations in prop::collection::vec((operation(), any::<bool>()), 1..100),
    ) {
        let now = Moment::default();
        let mut session = Session::new(false, now);
        session.on_socket_requested();
        session.on_socket();
        session.on_connect(Connect::Established { preface: 0, payload: 0 }, now);
        let mut ended = [false; 2];
        for (operation, up) in operations {
            let direction = Direction::BOTH[usize::from(up)];
            let other = direction.to().outgoing();
            let (in_flight, bytes) = (session.in_flight(other), session.bytes()[other.index()]);
            match operation {
                Operation::Copied { bytes, more } if !ended[direction.index()] => {
                    session.on_fill(direction, Fill::Copied { bytes, asked: bytes + more }, now);
                }
                Operation::Spliced(bytes) if !ended[direction.index()] => {
                    session.on_fill(direction, Fill::Spliced(bytes), now);
                }
                Operation::Flushed(_) if session.in_flight(direction) > 0 => {
                    session.on_flush(direction, Flush::Moved(session.in_flight(direction)), now);
                }
                Operation::FillWouldBlock => session.on_fill(direction, Fill::WouldBlock, now),
                Operation::FlushWouldBlock => session.on_flush(direction, Flush::WouldBlock, now),
                Operation::NoPipe => session.on_no_pipe(direction),
                Operation::SourceEdge(_) => session.on_edge(direction.from(), Readiness::UNTRIED),
                Operation::SinkEdge(_) => session.on_edge(direction.to(), Readiness::UNTRIED),
                Operation::Eof if session.in_flight(direction) == 0 && !ended[direction.index()] => {
                    session.on_no_pipe(direction);
                    session.on_fill(direction, Fill::Eof, now);
                    session.on_shutdown(direction);
                    ended[direction.index()] = true;
                }
                _ => {}
            }
            prop_assert_eq!(session.bytes()[other.index()], bytes);
            if ended == [true; 2] {
                prop_assert_eq!(session.next_step(), Step::Close(CloseReason::Finished));
                return Ok(());
            }
            prop_assert_eq!(session.in_flight(other), in_flight);
            prop_assert!(!matches!(session.next_step(), Step::Close(_)), "one direction has closed the session");
        }
        session.close(CloseReason::Reset(Side::Upstream));
        prop_assert_eq!(session.next_step(), Step::Close(CloseReason::Reset(Side::Upstream)));
    }
}
