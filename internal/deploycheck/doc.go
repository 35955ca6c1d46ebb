// Package deploycheck holds the tests of deploy/: each file is read by a strict reader of its kind, and the program itself
// judges the settings in it. It is a module of its own, so that the readers stay out of the program's dependencies.
package deploycheck
