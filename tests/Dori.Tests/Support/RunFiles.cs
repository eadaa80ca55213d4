using System.Security.Cryptography;

namespace Dori.Tests.Support;

/// <summary>What a run folder holds that must not depend on how it came about.</summary>
internal static class RunFiles
{
    /// <summary>Units, embeddings, pictures, originals and the summary, by hash.</summary>
    public static Dictionary<string, string> Of(string run) => Directory.GetFiles(run, "*", SearchOption.AllDirectories)
        .Where(file => Path.GetFileName(file) == "summary.json"
            || Path.GetFileName(Path.GetDirectoryName(file)) is "units" or "embeddings" or "pictures" or "originals")
        .Where(file => Path.GetExtension(file) is ".json" or ".png" or ".safetensors")
        .ToDictionary(file => Path.GetRelativePath(run, file).Replace('\\', '/'),
            file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file))));
}
