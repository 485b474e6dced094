use std::{
    io::Read as _,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use proptest::prelude::*;

use super::{Block, BlockChain, GzipStream, deflater};

/// Locked for writing by the test that opens all compressors, because the tests of a process share them.
static ALL_OPEN: RwLock<()> = RwLock::new(());

/// Until the guard is dropped, a test can open a few compressors.
pub(crate) fn some_left() -> RwLockReadGuard<'static, ()> {
    ALL_OPEN.read().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the text that a client decodes; fails unless the trailer is right and nothing follows.
fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::bufread::GzDecoder::new(bytes);
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain).expect("a valid gzip stream");
    assert!(decoder.into_inner().is_empty(), "something follows the trailer");
    plain
}

fn event(n: usize) -> Vec<u8> {
    format!("data: {{\"symbol\":\"EURUSD\",\"price\":1.0{n},\"volume\":{}}}\nid: 00ff-{n}\n\n", n * 37 % 101)
        .into()
}

#[test]
fn an_empty_stream_is_valid() {
    assert_eq!(unzipped(&GzipStream::of_shared().finish(b"")), b"");
    assert_eq!(unzipped(&GzipStream::of_own().finish(b"")), b"");
}

#[test]
fn a_run_is_smaller_than_blocks_alone() {
    let _left = some_left();
    let mut run = BlockChain::open().expect("one more");
    let (mut shared, mut alone) = (0, 0);
    for n in 0..64 {
        let plain = event(n);
        shared += run.block(&plain).deflated().len();
        alone += Block::alone(&plain).deflated().len();
        assert!(Block::alone(&plain).deflated().len() <= plain.len() + 5);
    }
    assert!(shared * 2 < alone, "{shared} and {alone} bytes");
}

#[test]
fn a_block_that_does_not_fit_is_compressed_alone() {
    let _left = some_left();
    let mut run = BlockChain::open().expect("one more");
    let (first, second, third) = (event(1), event(2), event(3));
    let blocks = [&first, &second, &third].map(|plain| run.block(plain));
    let mut member = GzipStream::of_shared();
    let mut bytes = Vec::from(member.push(&first, Some(blocks[0].clone())));
    bytes.extend(member.push(b"retry: 7\n", None));
    // The second block refers to the first at a distance that is wrong here.
    bytes.extend(member.push(&second, Some(blocks[1].clone())));
    bytes.extend(member.push(&third, Some(blocks[2].clone())));
    bytes.extend(member.finish(b"data: bye\n\n"));
    let plain = [&first[..], b"retry: 7\n", &second, &third, b"data: bye\n\n"].concat();
    assert_eq!(unzipped(&bytes), plain);
}

#[test]
fn large_and_random_text_is_stored_in_parts() {
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(200_000).collect();
    let mut member = GzipStream::of_shared();
    let bytes = [member.push(&noise, None), member.finish(b"")].concat();
    assert!(bytes.len() < noise.len() + 64, "{} bytes", bytes.len());
    assert_eq!(unzipped(&bytes), noise);
    let mut own = GzipStream::of_own();
    assert_eq!(unzipped(&[own.push(&noise, None), own.finish(b"")].concat()), noise);
}

#[test]
fn what_can_be_held_open_is_bounded() {
    let _all = ALL_OPEN.write().unwrap_or_else(PoisonError::into_inner);
    let held: Vec<_> = std::iter::from_fn(BlockChain::open).take(deflater::MOST_OPEN + 1).collect();
    assert!(held.len() <= deflater::MOST_OPEN);
    let mut member = GzipStream::of_own();
    let plain = event(1);
    let bytes = [member.push(&plain, None), member.push(&plain, None), member.finish(b"")].concat();
    assert_eq!(unzipped(&bytes), plain.repeat(2));
    drop(held);
    assert!(BlockChain::open().is_some());
}

/// A step of the test.
#[derive(Debug, Clone)]
enum Step {
    /// The run's next block is made; sometimes it follows nothing.
    Make { restart: bool, size: usize },
    /// A reader takes this number of the blocks that it has not received.
    Take { reader: usize, most: usize },
    /// A reader receives data that no other reader receives.
    Own { reader: usize, size: usize },
}

const READERS: usize = 5;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::bool::weighted(0.15), 0usize..600).prop_map(|(restart, size)| Step::Make { restart, size }),
        6 => (0..READERS, 1usize..6).prop_map(|(reader, most)| Step::Take { reader, most }),
        1 => (0..READERS, 0usize..300).prop_map(|(reader, size)| Step::Own { reader, size }),
    ]
}

fn text(n: usize, size: usize) -> Vec<u8> {
    event(n).into_iter().cycle().take(size).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_reader_gets_a_valid_stream_of_what_it_was_sent(steps in prop::collection::vec(step(), 1..120)) {
        let _left = some_left();
        let mut run = BlockChain::open().expect("one more");
        let mut made: Vec<(Vec<u8>, Block)> = Vec::new();
        let mut readers: Vec<_> =
            (0..READERS).map(|_| (GzipStream::of_shared(), 0, Vec::new(), Vec::new())).collect();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Make { restart, size } => {
                    if restart {
                        run.restart();
                    }
                    let plain = text(n, size);
                    let block = run.block(&plain);
                    made.push((plain, block));
                }
                Step::Take { reader, most } => {
                    let (member, seen, plain, bytes) = &mut readers[reader];
                    for (text, block) in &made[*seen..made.len().min(*seen + most)] {
                        bytes.extend(member.push(text, Some(block.clone())));
                        plain.extend_from_slice(text);
                        *seen += 1;
                    }
                }
                Step::Own { reader, size } => {
                    let (member, _, plain, bytes) = &mut readers[reader];
                    let text = text(n, size);
                    bytes.extend(member.push(&text, None));
                    plain.extend(text);
                }
            }
        }
        for (mut member, _, mut plain, mut bytes) in readers {
            bytes.extend(member.finish(b"retry: 9\n"));
            plain.extend_from_slice(b"retry: 9\n");
            prop_assert_eq!(unzipped(&bytes), plain);
        }
    }
}
