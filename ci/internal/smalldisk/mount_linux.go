package smalldisk

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func mountTemporary(dir string, bytes int64) error {
	options := "mode=0755,size=" + strconv.FormatInt(bytes, 10)
	if err := unix.Mount("lgtm-lab", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mounting %s: %w", dir, err)
	}
	return nil
}

// mountAgain makes the file system of one folder appear at another, too.
func mountAgain(dir, at string) error {
	if err := unix.Mount(dir, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", at, err)
	}
	return nil
}

// busyFor is how long the threads of a killed program may take to let go of their files: its
// first thread looks ended before the others are.
const busyFor = 10 * time.Second

func unmount(dir string) error {
	for end := time.Now().Add(busyFor); ; time.Sleep(50 * time.Millisecond) {
		err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return fmt.Errorf("unmounting %s: %w", dir, err)
		}
	}
}

// UnmountBelow takes away the file systems that are mounted in a folder, with all that is in
// them: a program that was killed has left them.
func UnmountBelow(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil // no file systems are known here
	}
	defer f.Close()
	var below []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html: the fifth is the place.
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		if at := unescape(fields[4]); strings.HasPrefix(at, filepath.Clean(dir)+"/") {
			below = append(below, at)
		}
	}
	slices.Reverse(below) // the last that was mounted is the first to go
	var errs []error
	for _, at := range below {
		errs = append(errs, unmount(at))
	}
	return errors.Join(errs...)
}

// unescape reads a path of mountinfo, in which white space and a backslash are numbers.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}
