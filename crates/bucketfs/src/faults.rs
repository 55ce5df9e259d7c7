//! What goes wrong on a mount, and how slow it is. It must not know files.

use fuser::Errno as Answer;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a mount is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Making a file.
    Create,
    /// Taking bytes of a file.
    Write,
    /// Publishing a file, when it is closed.
    Flush,
    /// Giving bytes of a file.
    Read,
    /// Finding a name.
    Lookup,
    /// Listing a folder.
    List,
    /// Moving a file.
    Rename,
    /// Making a hard link, which is refused with ENOSYS where nothing else is said.
    Link,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    errno: Errno,
    skip: u32,
    times: u32,
    after: bool,
}

impl Fault {
    /// Fails once, with this error, and does nothing.
    pub fn once(errno: Errno) -> Self {
        Self { errno, skip: 0, times: 1, after: false }
    }

    /// Fails until the faults of the mount are cleared.
    pub fn always(errno: Errno) -> Self {
        Self { times: u32::MAX, ..Self::once(errno) }
    }

    /// Fails so many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Lets so many go well first.
    #[must_use]
    pub fn skip(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Does what was asked, and fails nevertheless. For [`Operation::Flush`] alone: the file is published.
    #[must_use]
    pub fn after_success(self) -> Self {
        Self { after: true, ..self }
    }
}

/// The faults and the slowness of one mount.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Mutex<Planned>,
}

#[derive(Debug, Default)]
struct Planned {
    faults: BTreeMap<Operation, Fault>,
    delays: BTreeMap<Operation, Duration>,
    bytes_per_second: Option<u32>,
    struck: BTreeMap<Operation, u64>,
    meanwhile: BTreeMap<Operation, Meanwhile>,
}

/// What happens elsewhere while an operation is under way.
struct Meanwhile(Box<dyn FnOnce() + Send>);

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl Faults {
    pub fn fail(&self, operation: Operation, fault: Fault) {
        self.lock().faults.insert(operation, fault);
    }

    pub fn delay(&self, operation: Operation, by: Duration) {
        self.lock().delays.insert(operation, by);
    }

    pub fn slow(&self, bytes_per_second: u32) {
        self.lock().bytes_per_second = Some(bytes_per_second);
    }

    pub fn meanwhile(&self, operation: Operation, happens: impl FnOnce() + Send + 'static) {
        self.lock().meanwhile.insert(operation, Meanwhile(Box::new(happens)));
    }

    pub fn clear(&self) {
        let mut planned = self.lock();
        planned.meanwhile.clear();
        planned.faults.clear();
        planned.delays.clear();
        planned.bytes_per_second = None;
    }

    pub fn struck(&self, operation: Operation) -> u64 {
        self.lock().struck.get(&operation).copied().unwrap_or_default()
    }

    /// Takes the time an operation on so many bytes needs, and gives the error it ends in before it does anything.
    pub fn before(&self, operation: Operation, bytes: usize) -> Result<(), Answer> {
        let time = self.time(operation, bytes);
        if !time.is_zero() {
            let (_sender, receiver) = channel::<()>();
            receiver.recv_timeout(time).ok();
        }
        let meanwhile = self.lock().meanwhile.remove(&operation);
        if let Some(Meanwhile(happens)) = meanwhile {
            happens();
        }
        self.strike(operation, false)
    }

    /// The error it ends in although it was done.
    pub fn after(&self, operation: Operation) -> Result<(), Answer> {
        self.strike(operation, true)
    }

    fn time(&self, operation: Operation, bytes: usize) -> Duration {
        let planned = self.lock();
        let delay = planned.delays.get(&operation).copied().unwrap_or_default();
        let moved = matches!(operation, Operation::Flush | Operation::Read);
        match planned.bytes_per_second {
            Some(rate) if moved => delay + Duration::from_secs_f64(bytes as f64 / f64::from(rate)),
            _ => delay,
        }
    }

    fn strike(&self, operation: Operation, after: bool) -> Result<(), Answer> {
        let mut planned = self.lock();
        let Some(fault) = planned.faults.get_mut(&operation).filter(|fault| fault.after == after) else {
            return Ok(());
        };
        if fault.skip > 0 {
            fault.skip -= 1;
            return Ok(());
        }
        if fault.times == 0 {
            return Ok(());
        }
        // "Always" ends after 2^32 failures, which no test sees.
        fault.times -= 1;
        let errno = fault.errno;
        *planned.struck.entry(operation).or_default() += 1;
        Err(Answer::from_i32(errno as i32))
    }

    fn lock(&self) -> MutexGuard<'_, Planned> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_when_and_as_often_as_planned() {
        let faults = Faults::default();
        faults.fail(Operation::Flush, Fault::once(Errno::EIO).skip(1).times(2));
        let ends: Vec<bool> = (0..4).map(|_| faults.before(Operation::Flush, 0).is_ok()).collect();
        assert_eq!(ends, [true, false, false, true]);
        assert!(faults.after(Operation::Flush).is_ok() && faults.before(Operation::Read, 0).is_ok());
        assert_eq!(faults.struck(Operation::Flush), 2);
    }

    #[test]
    fn a_file_takes_the_time_of_its_bytes() {
        let faults = Faults::default();
        faults.slow(1000);
        faults.delay(Operation::Flush, Duration::from_millis(5));
        assert_eq!(faults.time(Operation::Flush, 500), Duration::from_millis(505));
        assert_eq!(faults.time(Operation::List, 500), Duration::ZERO);
    }
}
