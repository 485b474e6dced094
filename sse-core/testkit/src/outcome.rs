use std::{error, fmt, future::Future, time::Duration};

use tokio::time::timeout;

/// What a case comes to.
pub type Outcome<T = ()> = Result<T, Failed>;

/// Why a case failed.
pub struct Failed(String);

impl Failed {
    /// A failure that says this.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

// A test that returns it prints this: the text as it is, because it holds streams over several lines.
impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A case that does not hang, however broken what it tests is.
///
/// # Errors
/// What the case says, or that it takes longer than any should.
pub async fn within_limits(case: impl Future<Output = Outcome>) -> Outcome {
    timeout(Duration::from_secs(60), case)
        .await
        .map_err(|_| Failed::new("the case does not come to an end"))?
}

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::Failed::new(format!($($message)+)));
        }
    };
}

/// Fails the case unless the two are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr $(,)?) => {
        // A `match`, so that what the two expressions borrow lives long enough.
        match (&$left, &$right) {
            (left, right) => {
                ensure!(left == right, "{}: is\n{left:?}\nand should be\n{right:?}", stringify!($left));
            }
        }
    };
}

pub(crate) use ensure;
pub(crate) use ensure_eq;
