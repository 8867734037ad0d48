package report

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// SchemaVersion is the version of every JSON document that the lab prints. It rises
// when a field goes away or changes its meaning; a new field does not raise it.
const SchemaVersion = 1

// Encode writes a document as indented JSON: the fields of v, which is a struct,
// after schema_version and kind. The kind names what the document is, such as
// "traffic"; docs/json.md lists them.
//
// The types of v must keep the contract of docs/json.md, or Encode returns an error
// and writes nothing: every field has a name in snake_case; a duration is a number
// of seconds whose name ends in _seconds (see [Seconds]), an amount of memory or
// disk one of bytes whose name ends in _bytes; a time is a time.Time. So whatever
// test calls a command with `-o json` finds a field that breaks the contract.
//
// The JSON is safe to show on a terminal: the characters that [Clean] makes visible
// and encoding/json would let through are written as \u escapes, so that the
// document means the same.
func Encode(w io.Writer, kind string, v any) error {
	doc, err := marshal(kind, v)
	if err != nil {
		return fmt.Errorf("encoding the JSON of %s: %w", kind, err)
	}
	return writeDocument(w, doc)
}

// writeDocument writes JSON indented and safe for a terminal.
func writeDocument(w io.Writer, doc []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, doc, "", "  "); err != nil {
		return err
	}
	// Outside of strings JSON is ASCII, so every such character is in a string.
	var safe strings.Builder
	for _, r := range indented.String() {
		if hostile(r) {
			fmt.Fprintf(&safe, `\u%04x`, r)
		} else {
			safe.WriteRune(r)
		}
	}
	_, err := io.WriteString(w, safe.String()+"\n")
	return err
}

// Decode reads a document that [Encode] has written into v. It refuses another kind,
// and a version that this program does not know.
func Decode(doc []byte, kind string, v any) error {
	var head struct {
		SchemaVersion int    `json:"schema_version"`
		Kind          string `json:"kind"`
	}
	if err := json.Unmarshal(doc, &head); err != nil {
		return err
	}
	switch {
	case head.Kind != kind:
		return fmt.Errorf("its kind is %.40q, want %q", head.Kind, kind)
	case head.SchemaVersion != SchemaVersion:
		return fmt.Errorf("its schema_version is %d, and this lab reads %d: use the lab that wrote it", head.SchemaVersion, SchemaVersion)
	}
	return json.Unmarshal(doc, v)
}

// marshal is the document in one line.
func marshal(kind string, v any) ([]byte, error) {
	if err := checkContract(v); err != nil {
		return nil, err
	}
	fields, err := marshalPlain(v)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(kind)
	if err != nil {
		return nil, err
	}
	doc := fmt.Appendf(nil, `{"schema_version":%d,"kind":%s`, SchemaVersion, head)
	rest := fields[1:] // without the brace that opens it
	if !bytes.Equal(rest, []byte("}")) {
		doc = append(doc, ',')
	}
	return append(doc, rest...), nil
}

// marshalPlain is json.Marshal, but leaves <, > and & as they are.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// checkContract says what in the type of v breaks the contract.
func checkContract(v any) error {
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return fmt.Errorf("%T is not a struct: a document has named fields, so that more can be added", v)
	}
	for _, name := range []string{"schema_version", "kind"} {
		if slices.Contains(fieldNames(t), name) {
			return fmt.Errorf("%v has a field %s of its own", t, name)
		}
	}
	return checkType(t, t.String(), map[reflect.Type]bool{})
}

// fieldNames are the names in JSON of a struct's own fields.
func fieldNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	marshalers   = reflect.TypeFor[json.Marshaler]()
	texts        = reflect.TypeFor[encoding.TextMarshaler]()
)

// checkType checks a type and all that it is made of. at says where it is.
func checkType(t reflect.Type, at string, seen map[reflect.Type]bool) error {
	switch {
	case t == timeType, seen[t]:
		return nil
	case t == durationType:
		return fmt.Errorf("%s is a time.Duration: write a number of seconds, by report.Seconds", at)
	case t.Implements(marshalers), reflect.PointerTo(t).Implements(marshalers):
		return fmt.Errorf("%s marshals itself, so its fields cannot be checked: give Encode the struct with the fields", at)
	case t.Implements(texts):
		return nil // a string
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return checkType(t.Elem(), at, seen)
	case reflect.Map: // its keys are data, such as the names of services
		return checkType(t.Elem(), at+"[…]", seen)
	case reflect.Struct:
		return checkFields(t, at, seen)
	case reflect.Interface:
		return fmt.Errorf("%s can be anything: say what it is", at)
	}
	return nil
}

func checkFields(t reflect.Type, at string, seen map[reflect.Type]bool) error {
	var errs []error
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-", !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "": // its fields are those of the struct around it
		default:
			if err := checkName(name, f.Type); err != nil {
				errs = append(errs, fmt.Errorf("%s.%s: %w", at, f.Name, err))
				continue
			}
		}
		errs = append(errs, checkType(f.Type, at+"."+f.Name, seen))
	}
	return errors.Join(errs...)
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// Words at the end of a number's name that leave its unit open, or say another than
// the contract's.
var (
	timeWords = strings.Fields("age delay duration elapsed lag latency timeout uptime ms ns us millis nanos minutes hours")
	sizeWords = strings.Fields("disk memory size kb mb gb kib mib gib")
)

// checkName checks the name of a field in JSON, which may be of any type.
func checkName(name string, t reflect.Type) error {
	if name == "" {
		return errors.New(`it has no name in JSON: add a tag such as json:"started"`)
	}
	if !snakeCase.MatchString(name) {
		return fmt.Errorf("the name %q is not snake_case", name)
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	last := name[strings.LastIndexByte(name, '_')+1:]
	switch isNumber := t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64; {
	case isNumber && slices.Contains(timeWords, last):
		return fmt.Errorf("%q is a time in an unknown unit: write seconds, and end the name in _seconds", name)
	case isNumber && slices.Contains(sizeWords, last):
		return fmt.Errorf("%q is a size in an unknown unit: write bytes, and end the name in _bytes", name)
	}
	return nil
}
