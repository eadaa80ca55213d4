using System.Reflection;
using Dori.Audit;
using Dori.Cli;
using Dori.Cli.Commands;
using Dori.Tests.Support;
using Spectre.Console.Cli;
using Spectre.Console.Testing;

namespace Dori.Tests.Cli;

public sealed class HelpTests
{
    private const int MostOptions = 20;

    public static TheoryData<string> Verbs => [.. Help.Verbs.Keys];

    private static string Of(params string[] args)
    {
        var console = new TestConsole();
        console.Profile.Width = 160;
        Assert.Equal(0, DoriApp.Run(args, console, TextWriter.Null, TextWriter.Null));
        return console.Output;
    }

    private static string[] Path(string verb) =>
        Help.BranchOf(Help.Verbs[verb]) is { Length: > 0 } branch ? [branch, verb] : [verb];

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_verb_has_at_most_20_options_of_its_own(string verb) =>
        Assert.InRange(Help.OwnOptions(Help.Verbs[verb]).Count(), 0, MostOptions);

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Help_shows_a_verbs_own_options_and_help_all_the_rest(string verb)
    {
        string shortly = Of([.. Path(verb), "--help"]), whole = Of([.. Path(verb), "--help-all"]);
        foreach (PropertyInfo property in Help.Verbs[verb].GetProperties())
        {
            if (property.GetCustomAttribute<CommandOptionAttribute>() is not { } option) continue;
            string flag = $"--{option.LongNames[0]} ";
            Assert.Equal(!option.IsHidden, whole.Contains(flag, StringComparison.Ordinal));
            if (Help.OwnOptions(Help.Verbs[verb]).Contains(property)) Assert.Contains(flag, shortly, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("info", "device", "dtype", "guidance")] // it looks at every weight: threads are of use
    [InlineData("report", "device", "dtype", "threads", "lora")]
    [InlineData("locality", "starts", "curve", "curve-generations")]
    public void Nothing_is_listed_that_a_verb_refuses_or_has_no_use_for(string verb, params string[] flags)
    {
        string whole = Of(verb, "--help-all");
        Assert.All(flags, flag => Assert.DoesNotContain($"--{flag} ", whole, StringComparison.Ordinal));
    }

    [Fact]
    public void Steps_are_search_steps_to_an_audit_and_never_sampler_steps()
    {
        var settings = new AuditSettings { OldSteps = 7 };
        AuditOptions own = new() { SamplerSteps = 20 }, options = settings.Over(own);
        Assert.Equal((7, 20), (options.Steps, options.SamplerSteps));
        Assert.Equal("--steps is called --search-steps now", Assert.Single(settings.FormerNames));
        Assert.Empty(new AuditSettings { Steps = 7 }.FormerNames);
        Assert.Equal("--steps is called --train-steps now", Assert.Single(new MitigateAdversarialSettings { OldSteps = 7 }.FormerNames));
    }

    [Fact]
    public void The_librarys_names_become_flags() =>
        Assert.Equal("--sampler-steps: 0; --lora x; `dori report`", Flags.In("`SamplerSteps`: 0; `Lora` x; `dori report`"));

    [Fact]
    public void All_that_is_out_of_range_is_said_at_once()
    {
        var options = new AuditOptions { SamplerSteps = 0, Guidance = 101, SearchBatch = 2, MicroBatch = 3, CurveSteps = [-1] };
        string message = Assert.Throws<DoriException>(options.Check).Message;
        foreach (string name in new[] { "`SamplerSteps`: 0", "`Guidance`: 101", "`MicroBatch`: 3", "`Curve`: -1" })
            Assert.Contains(name, message, StringComparison.Ordinal);
    }
}
