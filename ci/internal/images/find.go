package images

import (
	"os"
	"path/filepath"
	"slices"
)

// Find returns the file in dir that has img for a platform ("linux/amd64"): the one
// that [Pull] makes of it, whose name says which image it is, or else NAME.tar, as
// [Pack] and `docker save -o` leave it, whose name does not. When there is none, file
// is "" and others are those that [Pull] has made of another version of the image
// or for another platform.
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

// FindNamed returns NAME.tar in dir, the archive of an image that is not in the lock or
// is not to be the lock's; "" if there is none.
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
