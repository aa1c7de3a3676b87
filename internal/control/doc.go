// Package control lets the command line talk to the running device of its home:
// HTTP with JSON bodies over a Unix socket that only the owner may open.
//
// [Listen] makes a [Server] that answers for a device, [Dial] a [Client] that
// asks it. The JSON types are the contract that scripts rely on: keys are never
// renamed, only added.
package control
