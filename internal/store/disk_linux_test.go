package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cairn/internal/store"
)

// inNamespace makes the child root of mounts of its own, where the machine allows it.
func inNamespace(t testing.TB, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	attributes := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	try := exec.Command("/bin/sh", "-c", "mount -t tmpfs none /mnt")
	try.SysProcAttr = attributes
	if err := try.Run(); err != nil {
		t.Skipf("this machine gives a process no mounts of its own: %v", err)
	}
	cmd.SysProcAttr = attributes
	return cmd
}

// fillDisk mounts a small disk on the folder and meets its limits.
func fillDisk(args []string) error {
	folder, how := args[0], args[1]
	if err := syscall.Mount("none", folder, "tmpfs", 0, "size=48m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	switch how {
	case "read-only":
		if err := syscall.Mount("none", folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
	case "at the start":
		_ = os.WriteFile(filepath.Join(folder, "large"), make([]byte, 64<<20), 0o600)
	}
	s, err := open(folder)
	if err != nil {
		return err
	}
	ctx := context.Background()
	rows := 0
	for err == nil {
		const sql = "INSERT INTO commits (repository, sha, subject) SELECT 'r', toString({from:UInt64} + number), randomString(1000) FROM numbers(2000)"
		if err = s.Exec(ctx, sql, store.Params{"from": rows}); err == nil {
			rows += 2000
		}
	}
	var kept uint64
	if reading := s.QueryRow(ctx, "SELECT count() FROM commits", nil).Scan(&kept); reading != nil {
		return fmt.Errorf("reading from a full disk: %w", reading)
	}
	fmt.Println(rows > 0 && uint64(rows) == kept)
	return errors.Join(err, s.Close())
}

func TestADiskThatTakesNoMore(t *testing.T) {
	for _, tc := range []struct{ how, want string }{
		{"read-only", "error: denied false the data folder DATA is on a read-only file system: name another folder with --data"},
		{"at the start", "error: unavailable false the disk with the data folder DATA is full: free some space on it"},
		{"at work", "true\nerror: unavailable false the disk with the data folder DATA is full: free some space on it"},
	} {
		t.Run(tc.how, func(t *testing.T) {
			folder := t.TempDir()
			got := output(t, inNamespace(t, child(t, "full", folder, tc.how)))
			if want := strings.ReplaceAll(tc.want, "DATA", folder); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
