//! The promise of `confirm`: such a call runs once its caller's user has approved of it, and no other
//! call does by that: not one of another caller, tool or argument, not later, not twice.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/caller.rs"]
mod caller;
#[path = "approval/commands.rs"]
mod commands;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "approval/legacy.rs"]
mod legacy;
#[path = "approval/modern.rs"]
mod modern;
#[path = "approval/recorded.rs"]
mod recorded;
#[path = "support/redis.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod redis;
#[path = "approval/replicas.rs"]
mod replicas;
#[path = "approval/rest.rs"]
mod rest;
#[path = "support/session.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod session;
#[path = "support/slow.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod slow;
#[path = "approval/stdio.rs"]
mod stdio;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/whoami.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod whoami;
#[path = "approval/world.rs"]
mod world;
