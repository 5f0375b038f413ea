package main

import (
	"os"
	"syscall"
)

// takeStdin gives standard input for this program alone: descriptor 0 is an empty file from then on. The embedded engine
// looks at descriptor 0 with every insert, takes what has come there and refuses the insert. It is called before anything
// else opens a file. Without a standard input, reading it is an error.
func takeStdin() *os.File {
	taken, err := syscall.Dup(0)
	if err != nil {
		return os.Stdin
	}
	syscall.CloseOnExec(taken)
	_ = syscall.Close(0)
	// The lowest descriptor that is free, which is 0, becomes the file's.
	_, _ = syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
	return os.NewFile(uintptr(taken), os.Stdin.Name())
}
