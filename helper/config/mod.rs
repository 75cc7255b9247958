//! The files of the stack as text: what the helper writes, from typed values, and what it reads back.

pub(crate) mod compose;
pub(crate) mod gateway;
pub(crate) mod images;
pub(crate) mod sample;
pub(crate) mod settings;
pub(crate) mod stamp;
pub(crate) mod yaml;
