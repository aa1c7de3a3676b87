package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// misuse is a command line that makes no sense.
func misuse(cmd *cobra.Command, format string, args ...any) error {
	return failedf(exitUsage, cmd.CommandPath()+" --help", format, args...)
}

// nameOf is a command's name as an error says it, which begins with the program's.
func nameOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// hasNone begins a sentence about what a command does not have.
func hasNone(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return "there is"
	}
	return nameOf(cmd) + " has"
}

// takes checks that a command has its argument and nothing besides; "" is none,
// and "[NAME]" one that may be left out.
func takes(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		optional := name == "" || strings.HasPrefix(name, "[")
		switch {
		case len(args) == 0 && !optional:
			return misuse(cmd, "%s needs a %s", nameOf(cmd), name)
		case len(args) > 0 && cmd.HasAvailableSubCommands():
			return unknownCommand(cmd, args[0])
		case len(args) > 0 && name == "":
			return misuse(cmd, "%s takes no argument: %q is too much", nameOf(cmd), args[0])
		case len(args) > 1:
			return misuse(cmd, "%s takes one %s: %q is too much (quote a name that holds spaces)", nameOf(cmd), strings.Trim(name, "[]"), args[1])
		}
		return nil
	}
}

// unknownCommand names the commands that may have been meant.
func unknownCommand(parent *cobra.Command, typed string) error {
	parent.SuggestionsMinimumDistance = 2
	if len(typed) < 4 {
		parent.SuggestionsMinimumDistance = 1 // any other short word is two letters away
	}
	text := fmt.Sprintf("%s no command %q", hasNone(parent), typed)
	if meant := parent.SuggestionsFor(typed); len(meant) > 0 {
		text += "; did you mean " + strings.Join(meant, " or ") + "?"
	}
	return misuse(parent, "%s", text)
}

// unknownCommandText is how cobra says that the program has no such command.
var unknownCommandText = regexp.MustCompile(`^unknown command "(.*)" for "`)

// complaint is what cobra says itself, as a person reads it.
func complaint(cmd *cobra.Command, err error) *failure {
	said := misuse(cmd, "%w", err)
	if m := unknownCommandText.FindStringSubmatch(err.Error()); m != nil {
		said = unknownCommand(cmd, m[1])
	}
	var f *failure
	errors.As(said, &f)
	return f
}

// wrongFlag says in a sentence what is wrong with a flag.
func wrongFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		flag := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			flag = "-" + unknown.GetSpecifiedName()
		}
		return misuse(cmd, "%s no flag %s", hasNone(cmd), flag)
	case errors.As(err, &bare):
		return misuse(cmd, "--%s needs %s", bare.GetSpecifiedName(), wanted(bare.GetFlag()))
	case errors.As(err, &wrong):
		return misuse(cmd, "--%s needs %s, not %q", wrong.GetFlag().Name, wanted(wrong.GetFlag()), wrong.GetValue())
	}
	return misuse(cmd, "%w", err)
}

// wanted says what a flag's value looks like.
func wanted(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "duration":
		return "a time with its unit, for example 30s or 5m"
	case "int":
		return "a whole number"
	case "bool":
		return "no value, or true or false"
	}
	name, _ := pflag.UnquoteUsage(flag)
	return "a value: --" + flag.Name + " " + name
}

// tidyBuiltIns makes the commands that cobra brings along refuse what makes no
// sense as ours do.
func tidyBuiltIns(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			show := cmd.Run
			cmd.Run, cmd.RunE = nil, func(help *cobra.Command, args []string) error {
				if cmd, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return unknownCommand(cmd, args[len(args)-max(1, len(rest))])
				}
				show(help, args)
				return nil
			}
		case "completion":
			cmd.Use = "completion SHELL"
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				return misuse(cmd, "completion needs a shell: bash, zsh, fish or powershell")
			}
			cmd.RunE = func(*cobra.Command, []string) error { return nil } // each shell is a command of its own
		}
	}
}

// helpColumns is how wide help is: a terminal of 80 columns does not break it.
const helpColumns = 79

// foldHelp folds the help of all commands. What stands in columns of its own, which
// lines that begin with a space show, is left as it is.
func foldHelp(root *cobra.Command) {
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpColumns)))
	each(root, func(cmd *cobra.Command) {
		paragraphs := strings.Split(cmd.Long, "\n\n")
		for i, text := range paragraphs {
			if !strings.Contains("\n"+text, "\n ") && !strings.Contains("\n"+text, "\n\t") {
				paragraphs[i] = fold(strings.ReplaceAll(text, "\n", " "), helpColumns, helpColumns, "\n")
			}
		}
		cmd.Long = strings.Join(paragraphs, "\n\n")
	})
}

// each does something with a command and all below it.
func each(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, below := range cmd.Commands() {
		each(below, do)
	}
}
