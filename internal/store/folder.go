package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"cairn/internal/fault"
)

// engineFolder is where below the data folder the engine keeps its files.
const engineFolder = "store"

// checkFolder makes the engine's folder below data and says what would keep the engine from working in it: no right to
// write, a full disk, another process. The engine itself only prints that it did not start.
func checkFolder(data string) error {
	path := filepath.Join(data, engineFolder)
	if err := os.MkdirAll(path, 0o750); err != nil {
		return folderFault(data, err)
	}
	if err := checkLock(data, path); err != nil {
		return err
	}
	if err := tryWriting(path); err != nil {
		return folderFault(data, err)
	}
	return nil
}

// tryWriting writes a little to the folder and to the disk below it.
func tryWriting(path string) error {
	file, err := os.CreateTemp(path, ".try-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(make([]byte, 64<<10))
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	return err
}

// checkLock looks at the lock that an engine holds on its folder. The engine refuses a second process by itself; this
// is to say so in a sentence. The lock file names the process.
func checkLock(data, path string) error {
	file, err := os.OpenFile(filepath.Join(path, "status"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return folderFault(data, err)
	}
	defer file.Close()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	text := make([]byte, 200)
	n, _ := file.Read(text)
	pid := 0
	_, _ = fmt.Sscanf(strings.TrimSpace(string(text[:n])), "PID: %d", &pid)
	switch pid {
	case os.Getpid():
		return nil // several stores of one process share its engine
	case 0:
		return fault.Replace(fault.Conflict, ErrHeld, "the data folder %s is held by another process: talk to the server that runs on it, or stop that process", data)
	}
	return fault.Replace(fault.Conflict, ErrHeld, "the data folder %s is held by another process (%d): talk to the server that runs on it, or stop that process", data, pid)
}

// folderFault turns what the operating system said about the data folder into a fault.
func folderFault(data string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Replace(fault.Unavailable, err, "the disk with the data folder %s is full: free some space on it", data)
	case errors.Is(err, syscall.EROFS):
		return fault.Replace(fault.Denied, err, "the data folder %s is on a read-only file system: name another folder with --data", data)
	case errors.Is(err, fs.ErrPermission):
		return fault.Replace(fault.Denied, err, "this user may not write in the data folder %s: grant it the right, or name another folder with --data", data)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fault.Replace(fault.Invalid, err, "the data folder %s is not a folder", data)
	}
	return fault.Wrap(fault.Internal, err, "the data folder %s", data)
}
