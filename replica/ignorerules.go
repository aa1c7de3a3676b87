package replica

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zsync/zsync/internal/kv"
)

// IgnoreKey begins the keys of settings that are patterns. Their value is the octet
// 1 where the pattern is in force, and nothing where it is not, though it may be one
// of the default list.
const IgnoreKey = "ignore/"

// bucketIgnoreHere holds this device's own patterns: patternsKey -> one a line.
const bucketIgnoreHere = "ignorehere"

var patternsKey = []byte("patterns")

// IgnoreSource says where a pattern comes from. Later ones overrule earlier ones.
type IgnoreSource uint8

// The sources of patterns.
const (
	IgnoreDefault IgnoreSource = iota // the default list
	IgnoreFolder                      // the folder's settings, the same on all devices
	IgnoreHere                        // this device alone
)

// IgnoreRule is a pattern in force.
type IgnoreRule struct {
	Pattern string
	Source  IgnoreSource
}

// ErrNoPattern is wrapped where a pattern is to be taken away that is not there.
var ErrNoPattern = errors.New("there is no such pattern")

// IgnoreRules returns the patterns in force, in their order: of those that match a
// path the last one counts.
func (r *Replica) IgnoreRules(tx kv.Tx) (rules []IgnoreRule) {
	ofFolder, off := folderPatterns(tx)
	for _, text := range r.cfg.Ignore {
		if !off[text] && !slices.Contains(ofFolder, text) {
			rules = append(rules, IgnoreRule{text, IgnoreDefault})
		}
	}
	for _, text := range ofFolder {
		rules = append(rules, IgnoreRule{text, IgnoreFolder})
	}
	for _, text := range patternsHere(tx) {
		rules = append(rules, IgnoreRule{text, IgnoreHere})
	}
	return rules
}

// folderPatterns returns what the settings say: the patterns in force, in the order
// in which they were set, and which are not.
func folderPatterns(tx kv.Tx) (on []string, off map[string]bool) {
	type stamped struct{ stamp, text string }
	var all []stamped
	off = map[string]bool{}
	kv.ScanPrefix(tx, bucketSettings, []byte(IgnoreKey), func(key, value []byte) bool {
		text := strings.TrimPrefix(string(key), IgnoreKey)
		parsed, err := ParsePattern(text)
		switch {
		case err != nil || parsed != text || len(value) < stampBytes:
		case string(value[stampBytes:]) == "\x01":
			all = append(all, stamped{string(value[:stampBytes]), text})
		default:
			off[text] = true
		}
		return true
	})
	slices.SortFunc(all, func(a, b stamped) int { return cmp.Compare(a.stamp, b.stamp) })
	for _, s := range all[:min(len(all), IgnorePatternsMax)] {
		on = append(on, s.text)
	}
	return on, off
}

func patternsHere(tx kv.Tx) []string {
	if text := string(tx.Get(bucketIgnoreHere, patternsKey)); text != "" {
		return strings.Split(text, "\n")
	}
	return nil
}

// IgnoreBody returns the body of a settings event that adds patterns to those of the
// folder and takes others away; nil, when they are as they should be. The error is an
// [ErrPattern] or an [ErrNoPattern].
func (r *Replica) IgnoreBody(tx kv.Tx, add, remove []string) ([]byte, error) {
	if err := errors.Join(parseAll(add), parseAll(remove)); err != nil {
		return nil, err
	}
	values := map[string]string{}
	rules := r.IgnoreRules(tx)
	rules = slices.DeleteFunc(rules, func(rule IgnoreRule) bool { return rule.Source == IgnoreHere })
	for _, text := range remove {
		if !holds(rules, text) || text == privatePattern {
			return nil, fmt.Errorf("%w that can be taken away: %q", ErrNoPattern, text)
		}
		values[text] = ""
	}
	for _, text := range add {
		if !holds(rules, text) {
			values[text] = "\x01"
		}
	}
	if n := len(rules) + len(values); n > IgnorePatternsMax {
		return nil, fmt.Errorf("%w: with them there would be more than %d patterns", ErrPattern, IgnorePatternsMax)
	}
	return bodyOf(values), nil
}

func bodyOf(values map[string]string) []byte {
	if len(values) == 0 {
		return nil
	}
	settings := make([]Setting, 0, len(values))
	for text, value := range values {
		settings = append(settings, Setting{IgnoreKey + text, []byte(value)})
	}
	slices.SortFunc(settings, func(a, b Setting) int { return cmp.Compare(a.Key, b.Key) })
	return EncodeSettings(settings)
}

// parseAll puts every pattern into the form in which it is kept.
func parseAll(texts []string) (err error) {
	for i := range texts {
		var wrong error
		if texts[i], wrong = ParsePattern(texts[i]); wrong != nil {
			return wrong
		}
	}
	return nil
}

func holds(rules []IgnoreRule, text string) bool {
	return slices.ContainsFunc(rules, func(rule IgnoreRule) bool { return rule.Pattern == text })
}

// IgnoreHere changes the patterns that go for this device alone. Before the
// transaction ends, Advance follows. The errors are those of [Replica.IgnoreBody].
func (r *Replica) IgnoreHere(tx kv.Tx, add, remove []string) error {
	if err := errors.Join(parseAll(add), parseAll(remove)); err != nil {
		return err
	}
	here := patternsHere(tx)
	for _, text := range remove {
		i := slices.Index(here, text)
		if i < 0 {
			return fmt.Errorf("%w of this device alone: %q", ErrNoPattern, text)
		}
		here = slices.Delete(here, i, i+1)
	}
	for _, text := range add {
		if !slices.Contains(here, text) {
			here = append(here, text)
		}
	}
	if len(here) > IgnorePatternsMax {
		return fmt.Errorf("%w: with them there would be more than %d patterns", ErrPattern, IgnorePatternsMax)
	}
	tx.Put(bucketIgnoreHere, patternsKey, []byte(strings.Join(here, "\n")))
	r.tree.ruled = true
	return tx.Err()
}

// takePatterns compiles the patterns in force.
func (r *Replica) takePatterns(tx kv.Tx) {
	var all, shared []string
	for _, rule := range r.IgnoreRules(tx) {
		all = append(all, rule.Pattern)
		if rule.Source != IgnoreHere {
			shared = append(shared, rule.Pattern)
		}
	}
	r.apart.rules, r.apart.shared = newIgnorer(all), newIgnorer(shared)
}
