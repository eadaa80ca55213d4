using Dori.Cli.Commands;
using Spectre.Console;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>Arguments in, exit code out: 0 done, 1 gate, 2 wrong input, 70 an error of the program, 130 interrupted.</summary>
internal static class DoriApp
{
    public const int Done = 0, Gate = 1, WrongInput = 2, Failure = 70, Interrupted = 130;

    /// <param name="console">Where people look: progress and tables go here, on standard error's side where output is piped.</param>
    /// <param name="output">Where programs look: results alone.</param>
    /// <param name="error">One line for each refusal.</param>
    public static int Run(string[] args, IAnsiConsole console, TextWriter output, TextWriter error)
    {
        using var interruption = new Interruption();
        var shell = new Shell(console, output, error, CommandLine(args), interruption.Token);
        var app = new CommandApp();
        app.Configure(config =>
        {
            config.Settings.Registrar.RegisterInstance(shell);
            config.SetApplicationName("dori");
            config.SetApplicationVersion(ProgramVersion.Text);
            config.PropagateExceptions();
            config.Settings.StrictParsing = true;
            config.Settings.Console = console;
            config.SetHelpProvider(new Help(config.Settings, args.Contains(Help.All)));
            config.SetInterceptor(new BeforeEveryVerb(shell));
            config.AddCommand<DemoCommand>("demo").WithDescription("Audit the built-in model, in minutes")
                .WithExample("demo", "-o", "demo");
            config.AddCommand<DoctorCommand>("doctor").WithDescription("What was loaded from where, and whether it computes")
                .WithExample("doctor", "--python", "python3");
            config.AddCommand<InfoCommand>("info").WithDescription("What a checkpoint holds, and whether all of it is sound")
                .WithExample("info", "models/emoji");
            config.AddCommand<GenerateCommand>("generate").WithDescription("Pictures from a prompt")
                .WithExample("generate", "models/emoji", "\"t shirt\"", "-n", "4", "-o", "pictures");
            config.AddCommand<AuditCommand>("audit").WithDescription("Search, generate, compare, verdicts, report")
                .WithExample("audit", "models/emoji", "--images", "models/emoji/pictures", "-o", "run");
            config.AddCommand<CalibrateCommand>("calibrate").WithDescription("The largest search budget for which controls stay clean")
                .WithExample("calibrate", "models/emoji", "--controls", "models/emoji/pictures", "-o", "calibration");
            config.AddCommand<FalseAlarmsCommand>("false-alarms").WithDescription("How often pictures never seen are called retained")
                .WithExample("false-alarms", "models/emoji", "--controls", "models/emoji-controls.tar", "-o", "false-alarms");
            config.AddBranch("canaries", Canaries);
            config.AddCommand<LocalityCommand>("locality").WithDescription("Is memorization local? Three tests")
                .WithExample("locality", "models/emoji", "--images", "models/emoji/pictures", "--items", "4", "--searches", "20", "-o",
                    "locality");
            Records(config);
            config.AddBranch("mitigate", Mitigations);
            config.AddCommand<EvaluateCommand>("evaluate").WithDescription("Quality: distances to real pictures, CLIP score, diversity")
                .WithExample("evaluate", "models/emoji", "--ordinary", "models/emoji/ordinary.tar", "--images", "models/emoji/pictures",
                    "-o", "quality");
            config.AddCommand<CompareCommand>("compare")
                .WithDescription("Several models, one audit: rates, tests and quality against the first")
                .WithExample("compare", "models/emoji", "pruned", "--images", "models/emoji/pictures", "--ordinary",
                    "models/emoji/ordinary.tar", "-o", "comparison");
            config.AddCommand<DiffCommand>("diff").WithDescription("What differs between two models: weights and configs")
                .WithExample("diff", "models/emoji", "pruned");
        });
        try
        {
            if (args is [var branch] && s_verbs.TryGetValue(branch, out IReadOnlyList<string>? inner) && branch.Length > 0)
                throw new DoriException($"{branch}: name one of {string.Join(", ", inner)} (dori {branch} --help says what each does)");
            return app.Run([.. args.Select(arg => arg == Help.All ? "--help" : arg)], interruption.Token);
        }
        catch (Exception e)
        {
            return Failures.Say(e, shell, message => CommandLineErrors.Explain(message, args, s_verbs));
        }
    }

    /// <summary>Verbs by the words before them: "", "mitigate", "canaries".</summary>
    private static readonly Dictionary<string, IReadOnlyList<string>> s_verbs = Help.Verbs.Values.Select(Help.BranchOf).Distinct()
        .ToDictionary(branch => branch, branch => (IReadOnlyList<string>)[.. Help.Verbs.Select(verb =>
            branch.Length == 0 && Help.BranchOf(verb.Value) is { Length: > 0 } word ? word
                : Help.BranchOf(verb.Value) == branch ? verb.Key : "").Where(verb => verb.Length > 0).Distinct()]);

    /// <summary>What is done with a finished run.</summary>
    private static void Records(IConfigurator config)
    {
        config.AddCommand<ReportCommand>("report").WithDescription("Build a run's report anew, merging its shards")
            .WithExample("report", "run", "run-shard2", "run-shard3");
        config.AddCommand<SignCommand>("sign").WithDescription("Sign a run: an in-toto statement of its verdicts and files")
            .WithExample("sign", "run", "--key", "key.pem");
        config.AddCommand<VerifyCommand>("verify").WithDescription("Does a signed run still hold? And units of it, computed again?")
            .WithExample("verify", "run", "--key", "key.pub", "--units", "3");
    }

    private static void Canaries(IConfigurator<CommandSettings> canaries)
    {
        canaries.SetDescription("Plant pictures by coins before a training, and judge after it what it holds");
        canaries.AddCommand<CanariesMakeCommand>("make").WithDescription("Draw pairs, toss the coins, seal them")
            .WithExample("canaries", "make", "--images", "pictures", "--pairs", "50", "-o", "canaries");
        canaries.AddCommand<CanariesJudgeCommand>("judge").WithDescription("What a trained model holds of what was planted")
            .WithExample("canaries", "judge", "trained", "--sealed", "canaries/sealed/sealed.json", "-o", "judged");
    }

    private static void Mitigations(IConfigurator<CommandSettings> mitigate)
    {
        mitigate.SetDescription("Make a model that should no longer give its memorized pictures; audit what comes out");
        mitigate.AddCommand<MitigateCommand<MitigateWandaSettings>>("wanda")
            .WithDescription("Prune the feed-forward weights that the captions use most")
            .WithExample("mitigate", "wanda", "models/emoji", "--images", "models/emoji/pictures", "-o", "pruned");
        mitigate.AddCommand<MitigateCommand<MitigateNemoSettings>>("nemo")
            .WithDescription("Prune the value neurons that memorization rests on")
            .WithExample("mitigate", "nemo", "models/emoji", "--images", "models/emoji/pictures", "-o", "pruned");
        mitigate.AddCommand<MitigateCommand<MitigateEsdSettings>>("esd")
            .WithDescription("Erased Stable Diffusion: predict away from the captions")
            .WithExample("mitigate", "esd", "models/emoji", "--images", "models/emoji/pictures", "--learning-rate", "1e-3", "-o", "erased");
        mitigate.AddCommand<MitigateCommand<MitigateConceptAblationSettings>>("concept-ablation")
            .WithDescription("Concept Ablation: captions bring what their anchors bring")
            .WithExample("mitigate", "concept-ablation", "MODEL", "--images", "pictures", "--anchors", "anchors", "-o", "ablated");
        mitigate.AddCommand<MitigateCommand<MitigateSissSettings>>("siss")
            .WithDescription("SISS: data unlearning by subtracted importance-sampled scores")
            .WithExample("mitigate", "siss", "MODEL", "--images", "pictures", "-o", "unlearned");
        mitigate.AddCommand<MitigateCommand<MitigateAdversarialSettings>>("adversarial")
            .WithDescription("Adversarial fine-tuning, until a search finds nothing")
            .WithExample("mitigate", "adversarial", "models/emoji", "--images", "models/emoji/pictures", "--ordinary",
                "models/emoji/ordinary.tar", "-o", "forgetful");
    }

    private static string CommandLine(string[] args) =>
        "dori " + string.Join(' ',
            args.Select(arg => arg.Length > 0 && arg.All(c => char.IsLetterOrDigit(c) || "-_./=,:+".Contains(c)) ? arg
            : $"'{arg.Replace("'", "'\\''")}'"));
}
