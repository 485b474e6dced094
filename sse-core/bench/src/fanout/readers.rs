use std::{
    fmt::Write as _,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::Instant,
};

use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::process::PATIENCE;
use crate::{Failure, servers::MARK};

/// How much is kept of what a reader that is alone receives: more than any event.
const LAST: usize = 8 << 10;

/// Many readers of one server, read by one thread that never sleeps, so that the server is not charged with waking it.
pub(crate) struct Readers {
    epoll: OwnedFd,
    streams: Vec<TcpStream>,
    ready: Vec<epoll::Event>,
    buffer: Vec<u8>,
    /// Which reader has received anything.
    heard: Vec<bool>,
    /// What a reader that is alone received last.
    last: Vec<u8>,
}

impl Readers {
    /// Connects this number of readers, and waits until each has its response's first bytes.
    pub(crate) fn connect(address: SocketAddr, count: usize, last: Option<&str>) -> Result<Self, Failure> {
        let mut readers = Self::request(address, count, last)?;
        readers.wait_until(Self::all_heard)?;
        Ok(readers)
    }

    /// Connects this number of readers and sends their requests.
    pub(crate) fn request(address: SocketAddr, count: usize, last: Option<&str>) -> Result<Self, Failure> {
        raise_limit()?;
        let mut request =
            "GET /events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n".to_owned();
        if let Some(last) = last {
            write!(request, "last-event-id: {last}\r\n")?;
        }
        request.push_str("\r\n");
        let mut readers = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            streams: Vec::with_capacity(count),
            ready: Vec::with_capacity(1_024),
            buffer: vec![0; 256 << 10],
            heard: vec![false; count],
            last: Vec::new(),
        };
        for index in 0..count {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(request.as_bytes())?;
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&readers.epoll, &stream, data, epoll::EventFlags::IN)?;
            readers.streams.push(stream);
        }
        Ok(readers)
    }

    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether each has received anything.
    pub(crate) fn all_heard(&self) -> bool {
        self.heard.iter().all(|heard| *heard)
    }

    /// The id that the only reader received last.
    pub(crate) fn last_id(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.last);
        let (_, rest) = text.rsplit_once("\nid: ")?;
        rest.split_once('\n').map(|(id, _)| id.to_owned())
    }

    /// Reads until this number of events has come.
    pub(crate) fn wait_for(&mut self, deliveries: usize) -> Result<(), Failure> {
        let mut left = deliveries;
        self.read_until(|_, came| {
            left = left.saturating_sub(came);
            left == 0
        })
    }

    /// Reads until something holds of the readers.
    pub(crate) fn wait_until(&mut self, holds: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        self.read_until(|readers, _| holds(readers))
    }

    fn read_until(&mut self, mut done: impl FnMut(&Self, usize) -> bool) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let came = self.read()?;
            if done(self, came) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the readers waited for more than {PATIENCE:?}").into());
            }
        }
    }

    /// Reads what is there now, and returns how many events came.
    fn read(&mut self) -> Result<usize, Failure> {
        self.ready.clear();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&at_once))?;
        let mut events = 0;
        for event in &self.ready {
            let index = usize::try_from(event.data.u64())?;
            let stream = self.streams.get_mut(index).ok_or("an unknown reader")?;
            match stream.read(&mut self.buffer) {
                Ok(0) => return Err("the server closed a reader's connection".into()),
                Ok(len) => {
                    let came = self.buffer.get(..len).unwrap_or_default();
                    events += memchr::memchr_iter(MARK, came).count();
                    if self.heard.len() == 1 {
                        keep_last(&mut self.last, came);
                    }
                    if let Some(heard) = self.heard.get_mut(index) {
                        *heard = true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(events)
    }
}

/// Adds bytes and drops all but the last of them: whatever is kept would be memory to ask the system for while measuring.
fn keep_last(last: &mut Vec<u8>, came: &[u8]) {
    last.extend_from_slice(came.get(came.len().saturating_sub(LAST)..).unwrap_or_default());
    last.drain(..last.len().saturating_sub(LAST));
}

/// Lets this process, and the servers that it starts, open as many sockets as the system allows.
pub(crate) fn raise_limit() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}
