//! What a shutdown does when it begins.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use sse_core::Shutdown;

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn hooks_run_before_anything_is_woken() {
    let shutdown = Shutdown::within(Duration::from_secs(1));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut waiting = pin!(shutdown.clone());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());

    let seen = Arc::new(Mutex::new(Vec::new()));
    let (in_hook, known) = (Arc::clone(&seen), Arc::clone(&woken));
    shutdown.on_begin(move || in_hook.lock().unwrap().push(known.0.load(Ordering::SeqCst)));
    shutdown.notify();
    shutdown.notify();
    assert_eq!(*seen.lock().unwrap(), [false]);
    assert!(woken.0.load(Ordering::SeqCst));

    let late = Arc::clone(&seen);
    shutdown.on_begin(move || late.lock().unwrap().push(true));
    assert_eq!(*seen.lock().unwrap(), [false, true]);
}

#[test]
fn a_panic_in_a_hook_does_not_keep_streams_waiting() {
    let shutdown = Shutdown::within(Duration::from_secs(1));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut waiting = pin!(shutdown.clone());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());

    let called = Arc::new(AtomicBool::new(false));
    let second = Arc::clone(&called);
    shutdown.on_begin(|| panic!("in a hook"));
    shutdown.on_begin(move || second.store(true, Ordering::SeqCst));
    shutdown.notify();
    assert!(called.load(Ordering::SeqCst) && woken.0.load(Ordering::SeqCst));
}
