//! The required behaviour of an application with any framework.

mod answers;
mod command_line;
mod compressed;
mod descriptors;
mod input;
mod postgres;
mod routes;
mod shutdown;
mod streams;

pub use answers::*;
pub use command_line::*;
pub use compressed::*;
pub use descriptors::*;
pub use input::*;
pub use postgres::*;
pub use routes::*;
pub use shutdown::*;
pub use streams::*;
