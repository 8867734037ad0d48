package stack

import (
	"archive/tar"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// dynamicProgram is /bin/echo of this machine with its interpreter and all its
// libraries, as an image of its own would have them.
func dynamicProgram(t *testing.T) (interpreter string, layer []tar.Header) {
	t.Helper()
	program, err := filepath.EvalSymlinks("/bin/echo")
	if err != nil {
		t.Skip("no /bin/echo")
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Skip("/bin/echo is no ELF program")
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			name, _ := io.ReadAll(p.Open())
			interpreter = strings.TrimRight(string(name), "\x00")
		}
	}
	if interpreter == "" {
		t.Skip("/bin/echo is statically linked")
	}
	read := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Skip(err)
		}
		return string(data)
	}
	layer = []tar.Header{regular("usr/bin/loki", read(program)), regular("real/ld.so", read(interpreter)), symlink(interpreter, "/real/ld.so")}
	libraries, _ := f.ImportedLibraries()
	for _, lib := range libraries {
		found := ""
		for _, pattern := range []string{"/lib/*-linux-gnu*/", "/usr/lib/*-linux-gnu*/", "/lib64/", "/usr/lib64/", "/lib/", "/usr/lib/"} {
			if files, _ := filepath.Glob(pattern + lib); len(files) > 0 {
				found = files[0]
				break
			}
		}
		if found == "" {
			t.Skipf("%s is not in the usual places", lib)
		}
		layer = append(layer, regular("usr/lib/lab-linux-gnu/"+lib, read(found)))
	}
	return interpreter, layer
}

func TestImageDynamicProgram(t *testing.T) {
	interpreter, layer := dynamicProgram(t)
	f := imagesFixture(t, newRegistry(t).push(t, imageOf(t, layer)))
	set := mustResolve(t, f)
	p, _ := set.Program("loki")
	if !strings.HasSuffix(p.Loader, interpreter) || !strings.HasPrefix(p.Loader, f.cache) {
		t.Errorf("Loader = %q, want the image's own %s", p.Loader, interpreter)
	}
	if out := run(t, p, "hello"); out != "hello\n" {
		t.Errorf("the program prints %q", out)
	}
	// The loader itself says which libraries it takes.
	file, args := p.Command()
	cmd := exec.CommandContext(t.Context(), file, append([]string{"--list"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	if n := strings.Count(string(out), " => "+f.cache); n == 0 || n != strings.Count(string(out), " => /") {
		t.Errorf("libraries from outside of the image:\n%s", out)
	}
	f.nothingHalf(t)
	// The same after a restart, from the descriptor.
	again, _ := mustResolve(t, f).Program("loki")
	if out := run(t, again, "again"); out != "again\n" {
		t.Errorf("the cached program prints %q", out)
	}
}

func TestImageWithoutItsInterpreter(t *testing.T) {
	_, layer := dynamicProgram(t)
	f := imagesFixture(t, newRegistry(t).push(t, imageOf(t, layer[:1])))
	if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), "ELF interpreter") {
		t.Errorf("Resolve() = %v, want that the interpreter is missing", err)
	}
	f.nothingHalf(t)
}

func TestImageWithHome(t *testing.T) {
	reg := newRegistry(t)
	layer := []tar.Header{regular("usr/bin/loki", staticELF())}
	f := imagesFixture(t, reg.push(t, imageOf(t, append(layer, regular("usr/share/g/conf/defaults.ini", "x")))))
	f.specs[0].homeInImage = "/usr/share/g"
	p, _ := mustResolve(t, f).Program("loki")
	if _, err := os.Stat(filepath.Join(p.Home, "conf", "defaults.ini")); err != nil {
		t.Errorf("Home = %q: %v", p.Home, err)
	}
	f = imagesFixture(t, reg.push(t, imageOf(t, layer)))
	f.specs[0].homeInImage = "/usr/share/g"
	if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), "no home directory in the image") {
		t.Errorf("Resolve() = %v, want that the home is missing", err)
	}
	f.nothingHalf(t)
}

func TestLoaderArgs(t *testing.T) {
	p := Program{Loader: "/c/lib/ld-musl-" + runtime.GOARCH + ".so.1", LibraryPath: []string{"/c/lib", "/c/usr/lib"}, Path: "/c/bin/x"}
	if got, want := strings.Join(loaderArgs(p), " "), "--library-path /c/lib:/c/usr/lib /c/bin/x"; got != want {
		t.Errorf("loaderArgs(musl) = %q, want %q", got, want)
	}
	p.Loader = "/c/lib64/ld-linux-x86-64.so.2"
	if got, want := strings.Join(loaderArgs(p), " "), "--inhibit-cache --library-path /c/lib:/c/usr/lib /c/bin/x"; got != want {
		t.Errorf("loaderArgs(glibc) = %q, want %q", got, want)
	}
}
