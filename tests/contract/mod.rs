//! What every answer keeps: the envelope, whole answers, the order of the steps, advice that works.

pub(crate) mod advice;
mod answers;
mod envelope;
mod place;
mod reads;
mod secrets;
pub(crate) mod steps;
mod terminal;
mod tried;
mod usage;
