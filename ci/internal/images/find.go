package images

import (
	"os"
	"path/filepath"
	"slices"
)

// Find returns the file in dir that has the image for a platform ("linux/amd64"). It
// prefers the file that [Pull] makes, whose name has the digest in it, to NAME.tar, as
// [Pack] and `docker save -o` leave it. If neither is there, file is "", and others are
// the files that [Pull] has made of another version or for another platform.
func (i Image) Find(dir, platform string) (file string, others []string) {
	for _, name := range []string{i.ArchiveName(platform), i.Name + ".tar"} {
		if file := filepath.Join(dir, name); isFile(file) {
			return file, nil
		}
	}
	found, _ := filepath.Glob(filepath.Join(dir, i.Name+"-*.tar"))
	return "", slices.DeleteFunc(found, func(file string) bool { return !isFile(file) })
}

// FindLayout returns the file in dir that [PullLayout] makes of img, or "".
func (i Image) FindLayout(dir string) string {
	if file := filepath.Join(dir, i.LayoutName()); isFile(file) {
		return file
	}
	return ""
}

// FindNamed returns NAME.tar in dir, or "" if there is no such file. It is for an image
// that is not in the lock, or that takes the place of the lock's.
func FindNamed(dir, name string) string {
	if file := filepath.Join(dir, name+".tar"); isFile(file) {
		return file
	}
	return ""
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
