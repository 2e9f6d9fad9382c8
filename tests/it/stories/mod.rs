//! What people do at Cal.com, and what becomes of it: the flows of its contract §8, each told against
//! the stand-in with all its weaknesses.

mod absent;
mod basics;
mod counted;
mod hosts;
mod moves;
mod orders;
mod races;
mod random;
mod retention;
mod shared;
