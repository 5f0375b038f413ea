// Package archtest holds the rules of the house as tests: what may import what, what only the program's main package
// may do, what has to be documented. It stands outside the data's way. Each rule is a function from a file tree to a
// list of violations, tried on small wrong trees and then on the repository.
package archtest
