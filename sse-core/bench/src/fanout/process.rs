use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::{
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
};

use super::outside::{self, Nchan};
use crate::{Failure, machine, servers::Server};

/// How long anything may take before the measurement is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a process of its own, on a core of its own; it ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    control: Control,
}

/// The pipe on which it receives what to publish.
enum Control {
    Lines(TcpStream),
    Nchan(Nchan),
}

impl Process {
    pub(crate) fn start(server: Server) -> Result<Self, Failure> {
        let (child, address, control) = match server {
            Server::Nchan => {
                let (child, address, nchan) = Nchan::start()?;
                (child, address, Control::Nchan(nchan))
            }
            Server::BetterSse => lines(outside::better_sse()?)?,
            server => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["serve", server.name()]);
                lines(command)?
            }
        };
        let process = Self { child, address, control };
        let [own, its] = cores();
        pin(process.child.id(), its)?;
        pin(std::process::id(), own)?;
        Ok(process)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets it publish this number of events; [`answered`](Process::answered) must follow.
    pub(crate) fn ask(&mut self, events: usize) -> Result<(), Failure> {
        match &mut self.control {
            Control::Lines(control) => control.write_all(format!("{events}\n").as_bytes())?,
            Control::Nchan(nchan) => nchan.ask(events)?,
        }
        Ok(())
    }

    /// Waits until it has published what it was asked for.
    pub(crate) fn answered(&mut self) -> Result<(), Failure> {
        match &mut self.control {
            Control::Lines(control) => control.read_exact(&mut [0; 5])?,
            Control::Nchan(nchan) => nchan.answered()?,
        }
        Ok(())
    }

    /// The CPU time that all its threads have used.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        cpu(self.child.id())
    }

    /// Returns its resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<usize, Failure> {
        resident(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server that prints its port and a control connection's, and obeys that line by line.
fn lines(mut command: Command) -> Result<(Child, SocketAddr, Control), Failure> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("the server has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let mut ports = line.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(port)), Some(Ok(control))) = (ports.next(), ports.next()) else {
        // It has ended or makes no sense; either way it is of no use.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("{command:?} did not start").into());
    };
    let control = TcpStream::connect((Ipv4Addr::LOCALHOST, control))?;
    control.set_nodelay(true)?;
    control.set_read_timeout(Some(PATIENCE))?;
    Ok((child, (Ipv4Addr::LOCALHOST, port).into(), Control::Lines(control)))
}

/// The CPU time of a process, its threads together, in the scheduler's nanoseconds.
pub(crate) fn cpu(process: u32) -> Result<Duration, Failure> {
    let mut nanoseconds = 0;
    for task in tasks(process)? {
        let stat = fs::read_to_string(format!("/proc/{process}/task/{task}/schedstat"))?;
        let on_cpu: u64 = stat.split(' ').next().unwrap_or_default().parse()?;
        nanoseconds += on_cpu;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The resident memory of a process in bytes.
pub(crate) fn resident(process: u32) -> Result<usize, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: usize = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes << 10)
}

/// The measuring process's core and the server's; the same one if there is only one.
fn cores() -> [usize; 2] {
    [(machine::cores() - 1).min(1), 0]
}

/// Keeps all threads of a process on one core.
pub(crate) fn pin(process: u32, core: usize) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    set.set(core);
    for task in tasks(process)? {
        sched_setaffinity(Pid::from_raw(task), &set)?;
    }
    Ok(())
}

fn tasks(process: u32) -> Result<Vec<i32>, Failure> {
    let mut tasks = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        tasks.push(entry?.file_name().to_string_lossy().parse()?);
    }
    Ok(tasks)
}
