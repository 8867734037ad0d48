package stack

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/shirou/gopsutil/v4/disk"
)

// How much room work needs, in bytes, from measuring all four programs cold:
// 8,700 different packages left 10 GiB in the build cache, and their modules, with
// the archives they came in, 8.5 GiB in the module cache, half of it for Alloy.
const (
	bytesPerPackage = 1280 << 10
	bytesFixed      = 2 << 30 // the linker's work, the program, and some air
	bytesModules    = 4 << 30 // of one program, as long as they are not there
)

// checkModuleSpace reports when the modules of pin are not there and would not
// fit on the disk.
func (s *Stack) checkModuleSpace(pin Pin, tc toolchain) error {
	// None of the upstream modules has an upper-case letter, which the cache
	// would write another way.
	archive := filepath.Join(tc.GOMODCACHE, "cache", "download", filepath.FromSlash(pin.Module), "@v", pin.Version+".zip")
	if _, err := os.Stat(archive); err == nil {
		return nil
	}
	return s.checkBytes(bytesModules, tc.GOMODCACHE)
}

// checkSpace reports when compiling stale packages would not fit on a disk that
// one of dirs is on.
func (s *Stack) checkSpace(stale int, dirs ...string) error {
	return s.checkBytes(bytesFixed+uint64(stale)*bytesPerPackage, dirs...)
}

// checkBytes reports which of dirs has less than need bytes free.
func (s *Stack) checkBytes(need uint64, dirs ...string) error {
	for _, dir := range dirs {
		free, err := s.freeBytes(existing(dir))
		if err != nil {
			continue // no answer is no reason to refuse
		}
		if free < need {
			return fmt.Errorf("not enough disk space: this needs about %s, and %s has %s free", size(need), dir, size(free))
		}
	}
	return nil
}

// freeBytes is the space below dir that an ordinary user may fill.
func freeBytes(dir string) (uint64, error) {
	usage, err := disk.Usage(dir)
	if err != nil {
		return 0, err
	}
	return usage.Free, nil
}

// existing is dir, or the nearest directory above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// size writes a number of bytes for people.
func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
