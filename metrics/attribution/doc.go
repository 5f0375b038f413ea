// Package attribution decides which deployment first shipped which change. It stands between the facts and the
// metrics: metrics loads facts into it, and writes what it says into the attributed_* tables that every figure reads.
//
// It is pure computation: no store, no clock. Commits are small integers, histories are walked with explicit stacks,
// and a deployment costs as many steps as it ships new commits, never the length of the history.
package attribution
