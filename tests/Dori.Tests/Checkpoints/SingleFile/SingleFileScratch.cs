using Dori.Checkpoints;
using Dori.Checkpoints.SingleFile;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints.SingleFile;

/// <summary>Writes a diffusers folder as a single file, with whatever else is to lie in it.</summary>
internal static class SingleFileScratch
{
    public const string UNet = "model.diffusion_model.", Vae = "first_stage_model.", Text = "cond_stage_model.transformer.";

    /// <param name="change">From the file's own tensors to those that are written.</param>
    public static string Write(string folder, string target, Func<Dictionary<string, Tensor>, Dictionary<string, Tensor>>? change = null)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> tensors = Tensors(folder);
        if (change is not null) tensors = change(tensors);
        SafetensorsWriter.Write(target, [.. tensors.Select(pair => (pair.Key, pair.Value))]);
        return target;
    }

    private static Dictionary<string, Tensor> Tensors(string folder)
    {
        DiffusersFolder model = DiffusersFolder.Open(folder);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        using WeightSet unet = model.OpenUNet(), vae = model.OpenVae(), text = model.OpenTextEncoder();
        foreach (string name in unet.Names)
            tensors.Add(UNet + UNetNames.ToSingle(name, model.UNet.LayersPerBlock, block =>
                model.UNet.UpBlockTypes[block].StartsWith("CrossAttn", StringComparison.Ordinal)), unet.Read(name));
        foreach (string name in vae.Names)
        {
            Tensor weight = vae.Read(name);
            bool kernel = name.Contains(".attentions.", StringComparison.Ordinal) && weight.dim() == 2; // 1 x 1 convolutions there
            tensors.Add(Vae + VaeName(name, model.Vae.BlockOutChannels.Count), kernel ? weight.view([.. weight.shape, 1, 1]) : weight);
        }
        foreach (string name in text.Names) tensors.Add(Text + name, text.Read(name));
        return tensors;
    }

    /// <summary>The other way round than the library's rule, and written apart from it.</summary>
    private static string VaeName(string name, int blocks)
    {
        string[] parts = name.Split('.');
        for (int i = 0; i < parts.Length; i++)
        {
            if (parts[i] == "down_blocks") (parts[i], parts[i + 2]) = ("down", parts[i + 2] == "resnets" ? "block" : "downsample");
            else if (parts[i] == "up_blocks") (parts[i], parts[i + 1], parts[i + 2]) =
                ("up", $"{blocks - 1 - int.Parse(parts[i + 1])}", parts[i + 2] == "resnets" ? "block" : "upsample");
            else if (parts[i] == "mid_block") (parts[i], parts[i + 1], parts[i + 2]) =
                ("mid", parts[i + 1] == "resnets" ? $"block_{int.Parse(parts[i + 2]) + 1}" : "attn_1", "");
        }
        string joined = string.Join('.', parts.Where(part => part.Length > 0)).Replace("downsample.0.", "downsample.")
            .Replace("upsample.0.", "upsample.")
            .Replace("conv_norm_out", "norm_out").Replace("conv_shortcut", "nin_shortcut");
        foreach ((string from, string to) in new[] { ("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"),
            ("to_out.0", "proj_out") })
            joined = joined.Replace($"attn_1.{from}.", $"attn_1.{to}.");
        return joined;
    }
}
