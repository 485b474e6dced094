//! What an application must do, whatever its framework.

mod answers;
mod command_line;
mod input;
mod routes;
mod shutdown;
mod streams;

pub use answers::*;
pub use command_line::*;
pub use input::*;
pub use routes::*;
pub use shutdown::*;
pub use streams::*;
