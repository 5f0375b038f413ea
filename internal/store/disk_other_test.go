//go:build !linux

package store_test

import "errors"

// fillDisk needs the mounts of Linux.
func fillDisk([]string) error { return errors.ErrUnsupported }
