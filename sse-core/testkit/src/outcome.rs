use std::{error, fmt, future::Future, time::Duration};

use tokio::time::timeout;

/// The result of a case.
pub type Outcome<T = ()> = Result<T, Failed>;

/// Why a case failed.
pub struct Failed(String);

impl Failed {
    /// A failure with this message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

// A test that returns it prints this: the text unescaped, because it holds streams over several lines.
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

/// Runs a case with a time limit, so that it cannot hang, whatever is broken.
///
/// # Errors
/// The failure of the case, or that it exceeds the time limit.
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
        // A `match`, so that borrows in the two expressions live long enough.
        match (&$left, &$right) {
            (left, right) => {
                ensure!(left == right, "{}: is\n{left:?}\nand should be\n{right:?}", stringify!($left));
            }
        }
    };
}

pub(crate) use ensure;
pub(crate) use ensure_eq;
