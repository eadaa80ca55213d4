using System.Numerics;
using System.Reflection;
using System.Text.RegularExpressions;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>
/// What is wrong with a command line, for a person: the parser's messages name neither the option nor what it takes ("Failed to convert
/// 'abc' to Nullable`1").
/// </summary>
internal static partial class CommandLineErrors
{
    private const string NoValue = "__default_command"; // the parser's own name for what is not there

    /// <param name="message">The parser's.</param>
    /// <param name="verbs">That are known, by the words before them: "", "mitigate".</param>
    public static string Explain(string message, string[] args, IReadOnlyDictionary<string, IReadOnlyList<string>> verbs)
    {
        string verb = Verb(args, verbs);
        string help = $" (dori {verb}--help says what is possible)";
        if (Conversion().Match(message) is { Success: true } conversion) return NotConverted(conversion.Groups[1].Value, args) + help;
        if (UnknownCommand().Match(message) is { Success: true } command)
        {
            string given = command.Groups[1].Value;
            IReadOnlyList<string> known = verbs.GetValueOrDefault(verb.Trim()) ?? verbs[""];
            string hint = Nearest(given, known) is { } verbNear ? $"did you mean {verbNear}?" : $"known: {string.Join(", ", known)}";
            return $"{verb}{given}: no such verb; {hint}{help}";
        }
        if (UnknownOption().Match(message) is { Success: true } option)
        {
            string name = option.Groups[1].Value, given = args.FirstOrDefault(arg => arg.TrimStart('-').Split('=')[0] == name) ?? name;
            string flag = given.Split('=')[0];
            string[] known = [.. Options().SelectMany(o => o.Names)];
            if (known.Contains(flag)) return $"{given}: an option of other verbs, which {verb.Trim()} does not take{help}";
            string? near = Nearest(flag, known);
            return $"{given}: no such option{(near is null ? "" : $"; did you mean {near}?")}" + help;
        }
        return message + help;
    }

    /// <summary>The verb that was understood, with a blank after it: "audit ", "mitigate esd "; empty where none was.</summary>
    private static string Verb(string[] args, IReadOnlyDictionary<string, IReadOnlyList<string>> verbs)
    {
        if (args.Length == 0 || !verbs[""].Contains(args[0])) return "";
        bool two = args.Length > 1 && verbs.TryGetValue(args[0], out IReadOnlyList<string>? inner) && inner.Contains(args[1]);
        return two ? $"{args[0]} {args[1]} " : $"{args[0]} ";
    }

    private static string NotConverted(string value, string[] args)
    {
        string name = value == NoValue ? args[^1]
            : args.Zip(args.Skip(1)).FirstOrDefault(pair => pair.Second == value && pair.First.StartsWith('-')).First
                ?? args.FirstOrDefault(arg => arg.StartsWith('-') && arg.Split(['=', ':'], 2) is [_, var after] && after == value)
                ?? "";
        name = name.Split('=', ':')[0];
        (string[] Names, Type Type) option = Options().FirstOrDefault(o => o.Names.Contains(name));
        bool whole = option.Type != typeof(double) && option.Type != typeof(double?);
        string wanted = whole ? "a whole number" : "a number, such as 0.5,";
        if (value == NoValue) return $"{name}: {wanted} is wanted after it, and nothing is there";
        string what = whole && BigInteger.TryParse(value, out _) ? "this number is out of range" : $"{wanted} is wanted";
        return $"{name} {value}: {what}";
    }

    private static IEnumerable<(string[] Names, Type Type)> Options() =>
        from type in Assembly.GetExecutingAssembly().GetTypes()
        where type.IsSubclassOf(typeof(CommandSettings))
        from property in type.GetProperties()
        let option = property.GetCustomAttribute<CommandOptionAttribute>()
        where option is not null
        let names = option.LongNames.Select(name => "--" + name).Concat(option.ShortNames.Select(name => "-" + name))
        select (names.ToArray(), property.PropertyType);

    /// <summary>The likeliest that was meant; null where none is near.</summary>
    internal static string? Nearest(string given, IEnumerable<string> known) =>
        known.Distinct().Select(name => (name, distance: Distance(given, name)))
            .Where(pair => pair.distance <= Math.Max(1, pair.name.TrimStart('-').Length / 3))
            .OrderBy(pair => pair.distance).ThenBy(pair => pair.name, StringComparer.Ordinal).Select(pair => pair.name).FirstOrDefault();

    /// <summary>Letters to insert, leave out, replace, or to swap with their neighbour (Damerau, without a second edit there).</summary>
    private static int Distance(string a, string b)
    {
        if (Math.Abs(a.Length - b.Length) > 8) return int.MaxValue;
        var d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++) d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
            for (int j = 1; j <= b.Length; j++)
            {
                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        return d[a.Length, b.Length];
    }

    [GeneratedRegex("^Failed to convert '(.*)' to .*\\.$", RegexOptions.Singleline)]
    private static partial Regex Conversion();

    [GeneratedRegex("^Unknown command '(.*)'\\.", RegexOptions.Singleline)]
    private static partial Regex UnknownCommand();

    [GeneratedRegex("^Unknown option '(.*)'\\.", RegexOptions.Singleline)]
    private static partial Regex UnknownOption();
}
