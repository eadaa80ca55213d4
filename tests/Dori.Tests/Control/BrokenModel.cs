using System.Text.Json.Nodes;
using System.Text;
using Dori.Checkpoints;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Control;

/// <summary>
/// The built-in model broken in one named way, as a folder: the parts that are whole are links to the original's. Everything is a
/// function of the name alone.
/// </summary>
internal static class BrokenModel
{
    private const string UNet = "unet/diffusion_pytorch_model.safetensors", Vae = "vae/diffusion_pytorch_model.safetensors",
        Text = "text_encoder/model.safetensors", Scheduler = "scheduler/scheduler_config.json", UNetConfig = "unet/config.json";

    private delegate Tensor? Change(string name, Tensor weight);

    private static readonly Dictionary<string, Action<string>> s_kinds = new()
    {
        // the issue's
        ["unet zero"] = Weights(UNet, (_, w) => zeros_like(w)),
        ["float16 declared bfloat16"] = folder => ReplaceText(folder, UNet, "\"F16\"", "\"BF16\""),
        ["last tenth of the unet zero"] = folder => Bytes(folder, UNet, bytes => bytes.AsSpan(bytes.Length * 9 / 10).Clear()),
        ["vae decoder zero"] = Zero(Vae, "decoder."),
        ["v_prediction on an epsilon model"] = Config(Scheduler, c => c["prediction_type"] = "v_prediction"),
        ["tensors of one shape shuffled"] = Shuffle(UNet),
        ["half of the tensors zero"] = Weights(UNet, (name, w) => Golden.Fnv1a(name) % 2 == 0 ? zeros_like(w) : null),
        ["text encoder zero"] = Weights(Text, (_, w) => zeros_like(w)),
        ["cross-attention zero"] = Zero(UNet, "attn2"),
        ["weights of 65504"] = Weights(UNet, (_, w) => full_like(w, 65504)),
        ["flip_sin_to_cos turned"] = Config(UNetConfig, c => c["flip_sin_to_cos"] = false),
        ["another number of heads"] = Config(UNetConfig, c => c["attention_head_dim"] = 16),
        ["sample_size 4"] = Config(UNetConfig, c => c["sample_size"] = 4),
        ["scaling_factor 1"] = Config("vae/config.json", c => c["scaling_factor"] = 1.0),
        // further ones
        ["scaling_factor left out"] = Config("vae/config.json", c => c.Remove("scaling_factor")),
        ["vae encoder zero"] = Weights(Vae, (name, w) => name.StartsWith("encoder.") ? zeros_like(w) : null),
        ["vae tensors shuffled"] = Shuffle(Vae),
        ["vae groups 8"] = Config("vae/config.json", c => c["norm_num_groups"] = 8),
        ["unet groups 16"] = Config(UNetConfig, c => c["norm_num_groups"] = 16),
        ["unet groups 8"] = Config(UNetConfig, c => c["norm_num_groups"] = 8),
        ["unet groups 64"] = Config(UNetConfig, c => c["norm_num_groups"] = 64),
        ["norm_eps 1"] = Config(UNetConfig, c => c["norm_eps"] = 1.0),
        ["last layer negated"] = Weights(UNet, (name, w) => name.Contains("conv_out") ? -w : null),
        ["last layer doubled"] = Weights(UNet, (name, w) => name.Contains("conv_out") ? w * 2 : null),
        ["text encoder shuffled"] = Shuffle(Text),
        ["text positions zero"] = Zero(Text, "position_embedding"),
        ["text tokens zero"] = Zero(Text, "token_embedding"),
        ["text tokens rolled"] = Weights(Text, (name, w) => name.Contains("token_embedding") ? w.roll(1, 0) : null),
        ["text heads 16"] = Config("text_encoder/config.json", c => c["num_attention_heads"] = 16),
        ["text gelu"] = Config("text_encoder/config.json", c => c["hidden_act"] = "gelu"),
        ["text last layer zero"] = Zero(Text, "layers.3."),
        ["text noise 100 %"] = Noise(Text, 1),
        ["linear betas"] = Config(Scheduler, c => c["beta_schedule"] = "linear"),
        ["diffusers' default betas"] = Config(Scheduler, c =>
        {
            foreach (string key in new[] { "beta_start", "beta_end", "beta_schedule" }) c.Remove(key);
        }),
        ["beta_end 0.02"] = Config(Scheduler, c => c["beta_end"] = 0.02),
        ["zero terminal signal"] = Config(Scheduler, c =>
        {
            c["rescale_betas_zero_snr"] = true;
            c["timestep_spacing"] = "trailing";
        }),
        ["500 time steps"] = Config(Scheduler, c => c["num_train_timesteps"] = 500),
        ["middle block zero"] = Zero(UNet, "mid_block"),
        ["middle block random"] = Weights(UNet, (name, w) => name.Contains("mid_block") ? Scrambled(name, w) : null),
        ["first up block zero"] = Zero(UNet, "up_blocks.0"),
        ["last up block zero"] = Zero(UNet, "up_blocks.2"),
        ["first down block zero"] = Zero(UNet, "down_blocks.0"),
        ["time embedding zero"] = Zero(UNet, "time_embedding"),
        ["self-attention zero"] = Zero(UNet, "attn1"),
        ["feed-forward zero"] = Zero(UNet, ".ff."),
        ["noise of 100 %"] = Noise(UNet, 1),
        ["noise of 30 %"] = Noise(UNet, 0.3),
        ["noise of 10 %"] = Noise(UNet, 0.1),
        ["two bits"] = Rounded(UNet, 2),
        ["three bits"] = Rounded(UNet, 3),
        ["four bits"] = Rounded(UNet, 4),
        ["transposed weights"] = Weights(UNet, (_, w) => w.dim() == 2 && w.shape[0] == w.shape[1] ? w.t().contiguous() : null),
        ["biases zero"] = Zero(UNet, "bias"),
        ["norms one"] = Weights(UNet, (name, w) => name.Contains("norm") && name.EndsWith("weight") ? ones_like(w) : null),
        ["untrained unet"] = Weights(UNet, (name, w) => w.dim() == 1 ? null : Scrambled(name, w)),
        ["unet times 1.5"] = Weights(UNet, (_, w) => w * 1.5f),
        ["vae decoder noise 30 %"] =
            Weights(Vae, (name, w) => name.StartsWith("decoder") && w.dim() > 1 ? w + 0.3f * Scrambled(name, w) : null),
        ["last tenth of the vae zero"] = folder => Bytes(folder, Vae, bytes => bytes.AsSpan(bytes.Length * 9 / 10).Clear()),
        ["vae middle zero"] = Zero(Vae, "decoder.mid_block"),
        ["post-quantisation zero"] = Zero(Vae, "post_quant"),
        ["latent channels turned"] = Weights(UNet, (name, w) => name.Contains("conv_in.weight") ? w.roll(1, 1) : null),
        ["sample_size 8"] = Config(UNetConfig, c => c["sample_size"] = 8),
        ["sample_size 32"] = Config(UNetConfig, c => c["sample_size"] = 32),
    };

    public static IEnumerable<string> Names => s_kinds.Keys;

    /// <summary>
    /// So slight that the model still gives its pictures back (docs/method.md, section 11), or without any effect: they may pass.
    /// </summary>
    private static readonly string[] s_slight =
    [
        "vae groups 8", "text heads 16", "text gelu", "text noise 100 %", "middle block random", "noise of 10 %", "vae decoder noise 30 %",
        "norms one",
    ];

    /// <summary>Those that must not be judged and that every run of the tests tries; the further ones are slow.</summary>
    public static IEnumerable<string> Broken => Names.Take(14).Concat(s_further);

    public static IEnumerable<string> BrokenToo => Names.Except(Broken).Except(s_slight);

    private static readonly string[] s_further =
    [
        "vae encoder zero", "vae tensors shuffled", "unet groups 16", "last layer negated", "text encoder shuffled", "text positions zero",
        "text tokens rolled", "linear betas", "first down block zero", "noise of 100 %", "two bits", "transposed weights",
    ];

    /// <summary>Makes the folder.</summary>
    public static string Make(string parent, string kind)
    {
        string folder = Path.Combine(parent, string.Concat(kind.Where(char.IsLetterOrDigit)));
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(Golden.EmojiModel)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        foreach (string part in new[] { "unet", "vae", "text_encoder", "scheduler" })
        {
            Directory.CreateDirectory(Path.Combine(folder, part));
            foreach (string file in Directory.GetFiles(Path.Combine(Golden.EmojiModel, part)))
                File.CreateSymbolicLink(Path.Combine(folder, part, Path.GetFileName(file)), file);
        }
        foreach (string part in new[] { "tokenizer", "copy_detector" })
            Directory.CreateSymbolicLink(Path.Combine(folder, part), Path.Combine(Golden.EmojiModel, part));
        s_kinds[kind](folder);
        return folder;
    }

    /// <summary>Tensors with a part of their name.</summary>
    private static Action<string> Zero(string file, string part) => Weights(file, (name, w) => name.Contains(part) ? zeros_like(w) : null);

    private static Action<string> Weights(string file, Change change) => folder =>
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var changed = new List<(string, Tensor)>();
        using (SafetensorsFile original = SafetensorsFile.Open(Path.Combine(folder, file)))
            foreach (string name in original.Tensors.Keys)
            {
                Tensor weight = original.Read(name);
                changed.Add((name, (change(name, weight.to(float32)) ?? weight).to(weight.dtype).contiguous()));
            }
        Unlink(folder, file);
        SafetensorsWriter.Write(Path.Combine(folder, file), changed);
    };

    /// <summary>Every tensor takes the values of the next one of its shape.</summary>
    private static Action<string> Shuffle(string file) => folder =>
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile original = SafetensorsFile.Open(Path.Combine(folder, file));
        var next = original.Tensors.Values.GroupBy(t => string.Join('x', t.Shape)).SelectMany(group =>
        {
            string[] names = [.. group.Select(t => t.Name).Order(StringComparer.Ordinal)];
            return names.Select((name, i) => (name, other: names[(i + 1) % names.Length]));
        }).ToDictionary(pair => pair.name, pair => pair.other);
        (string, Tensor)[] changed = [.. next.Select(pair => (pair.Key, original.Read(pair.Value)))];
        Unlink(folder, file);
        SafetensorsWriter.Write(Path.Combine(folder, file), changed);
    };

    private static Action<string> Noise(string file, double share) =>
        Weights(file, (name, w) => w.dim() > 1 ? w + Scrambled(name, w) * (float)share : null);

    private static Action<string> Rounded(string file, int bits) => Weights(file, (_, w) =>
    {
        if (w.dim() < 2) return null;
        float step = w.abs().max().item<float>() / (1 << (bits - 1));
        return (w / step).round() * step;
    });

    /// <summary>Noise of the weight's own deviation.</summary>
    private static Tensor Scrambled(string name, Tensor w) => Golden.Rand(name, w.shape) * w.std();

    private static Action<string> Config(string file, Action<JsonObject> change) => folder =>
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, file)))!.AsObject();
        change(json);
        Unlink(folder, file);
        File.WriteAllText(Path.Combine(folder, file), json.ToJsonString());
    };

    private static void Bytes(string folder, string file, Action<byte[]> change)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, file));
        change(bytes);
        Unlink(folder, file);
        File.WriteAllBytes(Path.Combine(folder, file), bytes);
    }

    private static void ReplaceText(string folder, string file, string from, string to)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, file));
        int length = 8 + (int)BitConverter.ToUInt64(bytes);
        byte[] header = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes, 8, length - 8).Replace(from, to));
        Unlink(folder, file);
        File.WriteAllBytes(Path.Combine(folder, file), [.. BitConverter.GetBytes((ulong)header.Length), .. header, .. bytes[length..]]);
    }

    private static void Unlink(string folder, string file) => File.Delete(Path.Combine(folder, file));
}
